/** What a run is, what it becomes, and how long it is remembered. Cases begin on 31 January 2026 at 09:30. */
import assert from "node:assert/strict";
import { eq } from "drizzle-orm/sql";
import { toInstant } from "../../src/core/clock.ts";
import { retryJobs } from "../../src/ports/queue/operate.ts";
import { createJobStore } from "../../src/ports/queue/store.ts";
import { reopen } from "../../src/ports/schedule/runs.ts";
import { LOOK_MS } from "../../src/ports/schedule/scheduler.ts";
import { DAY, HOUR, MINUTE, outcomes, type ScheduleCase } from "./schedule.world.ts";

export const runCases: ScheduleCase[] = [
  {
    name: "a schedule is fired when it is due, once, with its input, and not before",
    async run({ make, instance, at, runs, jobs, row }) {
      const daily = make("0 10 * * *", { input: { n: 7 }, timeoutMs: 60_000, priority: 3 });
      const one = instance(daily);
      assert.equal(await one.tick(), LOOK_MS);
      assert.equal((await row(daily)).nextAt, "2026-01-31T10:00:00.000Z");
      at("09:59:59.999");
      assert.equal(await one.tick(), 1);
      assert.deepEqual(await runs(daily), []);
      at("10:00:00.000");
      await one.tick();
      await one.tick();
      assert.deepEqual(outcomes(await runs(daily)), ["31T10:00 cron null"]);
      const [job, ...others] = await jobs(daily);
      assert.deepEqual(others, []);
      assert.deepEqual(
        { input: job?.input, state: job?.state, actor: job?.actor, deadlineAt: job?.deadlineAt, rank: job?.rank },
        {
          input: { n: 7 },
          state: "waiting",
          actor: { type: "system", id: "schedule" },
          deadlineAt: "2026-01-31T10:01:00.000Z",
          rank: -3,
        },
      );
      assert.equal((await row(daily)).nextAt, "2026-02-01T10:00:00.000Z");
    },
  },
  {
    name: "of many instances that tick at once one fires, time after time",
    async run({ make, instance, clock, runs, jobs }) {
      const often = make("*/5 * * * *", { overlap: "queue" });
      const instances = Array.from({ length: 4 }, () => instance(often));
      await Promise.all(instances.map((one) => one.tick()));
      for (let i = 0; i < 12; i++) {
        clock.move(5 * MINUTE);
        await Promise.all(instances.map((one) => one.tick()));
      }
      assert.equal((await runs(often)).length, 12);
      assert.equal((await jobs(often)).length, 12);
    },
  },
  {
    name: "a run is written down with how its job ended and when, also when the job is deleted afterwards",
    async run({ db, make, instance, at, clock, runs, finish, jobs, lines }) {
      const often = make("*/10 * * * *");
      const one = instance(often);
      await one.tick();
      at("09:40:00.000");
      await one.tick();
      await finish(often, "done");
      await one.tick();
      const [done] = await runs(often);
      assert.equal(done?.outcome, "done");
      assert.deepEqual([done?.startedAt, done?.finishedAt], ["2026-01-31T09:40:00.000Z", "2026-01-31T09:40:01.500Z"]);

      at("09:50:00.000");
      await one.tick();
      await finish(often, "failed");
      await one.tick();
      const [failed] = await runs(often);
      assert.equal(failed?.outcome, "failed");
      assert.equal(failed?.error?.message, "It broke.");
      assert.equal(lines.filter(({ schedule, outcome }) => schedule === often.name && outcome === "failed").length, 1);

      clock.move(HOUR);
      await createJobStore(db).purge(toInstant(clock.now()), 1000);
      assert.deepEqual(await jobs(often), []);
      await one.tick();
      assert.deepEqual(outcomes(await runs(often)).slice(-2), ["31T09:50 cron failed", "31T09:40 cron done"]);
    },
  },
  {
    name: "a run whose job was deleted before its end was seen has an unknown outcome, and holds up nothing",
    async run({ db, make, instance, at, runs }) {
      const often = make("*/10 * * * *");
      const one = instance(often);
      await one.tick();
      at("09:40:00.000");
      await one.tick();
      await db.atomic((tx) => [tx.delete(db.tables.jobs).where(eq(db.tables.jobs.scheduleName, often.name))]);
      at("09:50:00.000");
      await one.tick();
      assert.deepEqual(outcomes(await runs(often)), ["31T09:50 cron null", "31T09:40 cron unknown"]);
    },
  },
  {
    name: "while the job of an earlier run goes on a run is skipped, and one that queues is not",
    async run({ make, instance, at, runs, jobs, finish }) {
      const skips = make("*/10 * * * *");
      const queues = make("*/10 * * * *", { overlap: "queue" });
      const one = instance(skips, queues);
      await one.tick();
      for (const time of ["09:40:00.000", "09:50:00.000"]) {
        at(time);
        await one.tick();
      }
      assert.deepEqual(outcomes(await runs(skips)), ["31T09:50 cron skipped", "31T09:40 cron null"]);
      assert.equal((await jobs(skips)).length, 1);
      assert.equal((await jobs(queues)).length, 2);
      await finish(skips, "failed");
      at("10:00:00.000");
      await one.tick();
      assert.deepEqual(outcomes(await runs(skips)), [
        "31T10:00 cron null",
        "31T09:50 cron skipped",
        "31T09:40 cron failed",
      ]);
    },
  },
  {
    name: "a run whose job is retried after its end goes on with it: the next one is skipped, and its outcome is the new end",
    async run({ db, make, instance, at, clock, runs, finish, jobs }) {
      const often = make("*/10 * * * *");
      const other = make("*/10 * * * *");
      const one = instance(often, other);
      await one.tick();
      at("09:40:00.000");
      await one.tick();
      await finish(often, "failed");
      await finish(other, "failed");
      await one.tick();
      const [job] = await jobs(often);
      const ids = [String(job?.id)];
      await db.atomic((tx) => [reopen(tx, db.dialect, ids), retryJobs(tx, db.dialect, ids, toInstant(clock.now()), 1)]);
      assert.deepEqual(outcomes(await runs(often)), ["31T09:40 cron null"]);
      assert.deepEqual(outcomes(await runs(other)), ["31T09:40 cron failed"]);
      at("09:50:00.000");
      await one.tick();
      assert.equal((await jobs(often)).length, 1);
      await finish(often, "done");
      await one.tick();
      const [skipped, done] = await runs(often);
      assert.deepEqual(outcomes(await runs(often)), ["31T09:50 cron skipped", "31T09:40 cron done"]);
      assert.equal(skipped?.jobId, null);
      assert.deepEqual([done?.error, done?.finishedAt], [null, "2026-01-31T09:50:01.500Z"]);
    },
  },
  {
    name: "a job that is unique and there already is what a run becomes, or the run is skipped",
    async run({ make, instance, at, runs, jobs }) {
      const unique = { key: () => "only", mode: "skip" as const };
      const skips = make("*/10 * * * *", { overlap: "queue" }, { unique });
      const replaces = make("*/10 * * * *", { overlap: "queue" }, { unique: { ...unique, mode: "replace" } });
      const one = instance(skips, replaces);
      await one.tick();
      for (const time of ["09:40:00.000", "09:50:00.000"]) {
        at(time);
        await one.tick();
      }
      assert.deepEqual(outcomes(await runs(skips)), ["31T09:50 cron skipped", "31T09:40 cron null"]);
      const [job] = await jobs(replaces);
      assert.deepEqual(
        (await runs(replaces)).map(({ jobId }) => jobId),
        [job?.id, job?.id],
      );
    },
  },
  {
    name: "history is deleted by age, and a run that goes on is kept",
    async run({ make, instance, at, clock, runs, finish }) {
      const often = make("*/10 * * * *", { overlap: "queue" });
      const one = instance(often);
      await one.tick();
      for (const time of ["09:40:00.000", "09:50:00.000"]) {
        at(time);
        await one.tick();
      }
      await finish(often, "done");
      await one.tick();
      clock.move(DAY);
      while ((await one.runs.purge(toInstant(clock.now()), 1)) > 0);
      assert.deepEqual(outcomes(await runs(often)), ["31T09:50 cron null"]);
    },
  },
];
