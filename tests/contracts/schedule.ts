/** What schedules do on every engine, under whatever runtime. The clock stands still unless a case moves it, and nobody ticks but the case. */
import assert from "node:assert/strict";
import { desc, eq } from "drizzle-orm/sql";
import { z } from "zod";
import { fromInstant, toInstant } from "../../src/core/clock.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { defineJob, type JobType } from "../../src/ports/queue/define.ts";
import type { JobError } from "../../src/ports/queue/port.ts";
import { createJobStore } from "../../src/ports/queue/store.ts";
import { type Schedule, type ScheduleSpec, schedule } from "../../src/ports/schedule/define.ts";
import { createScheduler, LOOK_MS, type Scheduler } from "../../src/ports/schedule/scheduler.ts";
import { type MovingClock, movingClock } from "./limits.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

type Input = { n: number };

export interface ScheduleWorld {
  db: Db;
  clock: MovingClock;
  lines: Record<string, unknown>[];
  /** A schedule with a name and a job type that no other case has. */
  make(pattern: string, spec?: Partial<ScheduleSpec<Input>>, job?: Partial<Parameters<typeof defineJob>[0]>): Schedule;
  /** A process that declares these. */
  instance(...schedules: Schedule[]): Scheduler;
  /** Moves the clock to this time of the day on which the case began, or of a later one. */
  at(time: string, days?: number): void;
  runs(of: Schedule): Promise<Run[]>;
  row(of: Schedule): Promise<Record<string, unknown>>;
  jobs(of: Schedule): Promise<Record<string, unknown>[]>;
  /** Ends the oldest waiting job of the schedule. */
  finish(of: Schedule, state: "done" | "failed"): Promise<void>;
}

interface Run {
  due: string;
  cause: string;
  outcome: string | null;
  jobId: string | null;
  error: { code: string; message: string } | null;
  startedAt: string | null;
  finishedAt: string | null;
}

let serial = 0;

export function scheduleWorld(db: Db): ScheduleWorld {
  const clock = movingClock();
  const start = clock.now();
  const lines: Record<string, unknown>[] = [];
  const log = createConsoleLog({ level: "info", clock, print: (line) => lines.push(JSON.parse(line)) });
  const store = createJobStore(db);
  const fresh = { fresh: true };
  return {
    db,
    clock,
    lines,
    make(pattern, spec, job) {
      const name = `case.${process.pid}.${Date.now()}.${serial++}`;
      const type = defineJob({ name, input: z.object({ n: z.number() }), ...job } as never) as JobType<
        z.ZodType<Input, Input>
      >;
      return schedule(pattern, type, { input: { n: 1 }, ...spec });
    },
    instance: (...schedules) => createScheduler({ db, clock, log, schedules }),
    at(time, days = 0) {
      const day = toInstant(start + days * DAY).slice(0, 10);
      clock.move(fromInstant(`${day}T${time}Z`) - clock.now());
    },
    async runs({ name }) {
      const rows = await db.all(
        db.prepare((q, { scheduleRuns: t }) =>
          q.select().from(t).where(eq(t.scheduleName, name)).orderBy(desc(t.dueAt)),
        )(),
        fresh,
      );
      return rows.map(({ dueAt, cause, outcome, jobId, error, startedAt, finishedAt }) => ({
        due: dueAt.slice(8, 16),
        cause,
        outcome,
        jobId,
        error,
        startedAt,
        finishedAt,
      }));
    },
    async row({ name }) {
      const [row] = await db.all(
        db.prepare((q, { schedules: t }) => q.select().from(t).where(eq(t.id, name)))(),
        fresh,
      );
      return row ?? {};
    },
    jobs: ({ name }) =>
      db.all(db.prepare((q, { jobs: t }) => q.select().from(t).where(eq(t.scheduleName, name)).orderBy(t.id))(), fresh),
    async finish({ job }, state) {
      const now = toInstant(clock.now());
      const slot = { name: job.name, queue: job.queue, free: 1, version: 1, perGroup: null };
      const [claimed] = await store.claim([slot], { workerId: "wrk_case", now, total: 1 });
      assert.ok(claimed, "there is a job to end");
      const { id, attempt } = claimed;
      clock.move(1_500);
      const error: JobError | null = state === "failed" ? { code: "error", message: "It broke.", attempt } : null;
      const at = toInstant(clock.now());
      const settled = await store.settle(
        [{ id, attempt, state, result: null, error, runAt: null, purgeAt: at, workerId: "wrk_case" }],
        at,
      );
      assert.deepEqual([...settled], [id]);
    },
  };
}

interface ScheduleCase {
  name: string;
  run(world: ScheduleWorld): Promise<void>;
}

const outcomes = (runs: Run[]) => runs.map(({ due, cause, outcome }) => `${due} ${cause} ${outcome}`);

/** Cases begin on 31 January 2026 at 09:30. */
export const scheduleCases: ScheduleCase[] = [
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
    name: "a run that was missed is recorded and reported, and the next one comes as usual",
    async run({ make, instance, at, runs, jobs, lines, row }) {
      const daily = make("0 10 * * *");
      await instance(daily).tick();
      at("10:05:00.001", 3);
      const one = instance(daily);
      await one.tick();
      await one.tick();
      assert.deepEqual(outcomes(await runs(daily)), ["03T10:00 cron missed"]);
      assert.match(
        (await runs(daily))[0]?.error?.message ?? "",
        /missed 4 times, from 2026-01-31T10:00.* to 2026-02-03T10:00/,
      );
      assert.deepEqual(await jobs(daily), []);
      assert.equal(lines.filter(({ schedule, level }) => schedule === daily.name && level === "warn").length, 1);
      assert.equal((await row(daily)).nextAt, "2026-02-04T10:00:00.000Z");
      at("10:00:00.000", 4);
      await one.tick();
      assert.deepEqual(outcomes(await runs(daily)), ["04T10:00 cron null", "03T10:00 cron missed"]);
    },
  },
  {
    name: "one that catches up fires the newest that was missed, once, and leaves it at that",
    async run({ make, instance, at, runs, jobs }) {
      const daily = make("0 10 * * *", { catchUp: true });
      await instance(daily).tick();
      at("20:00:00.000", 3);
      const one = instance(daily);
      await one.tick();
      await one.tick();
      assert.deepEqual(outcomes(await runs(daily)), ["03T10:00 catch-up null"]);
      assert.equal((await jobs(daily)).length, 1);
    },
  },
  {
    name: "a run that is five minutes late is not missed, but those before it are",
    async run({ make, instance, at, runs }) {
      const often = make("* * * * *");
      const one = instance(often);
      await one.tick();
      at("09:33:30.000");
      await one.tick();
      assert.deepEqual(outcomes(await runs(often)), ["31T09:33 cron null", "31T09:32 cron missed"]);
      const daily = make("0 10 * * *");
      await instance(daily).tick();
      at("10:05:00.000");
      await instance(daily).tick();
      assert.deepEqual(outcomes(await runs(daily)), ["31T10:00 cron null"]);
    },
  },
  {
    name: "after a year of absence a schedule of every minute is caught up with at once",
    async run({ make, instance, at, clock, runs }) {
      const often = make("* * * * *");
      await instance(often).tick();
      at("09:30:30.000", 365);
      const since = performance.now();
      await instance(often).tick();
      assert.ok(performance.now() - since < 2_000);
      const [fired, missed] = await runs(often);
      assert.equal(fired?.cause, "cron");
      assert.match(missed?.error?.message ?? "", /more than 998 times/);
      assert.ok(toInstant(clock.now()).startsWith("2027-01-31T09:30"));
    },
  },
  {
    name: "a changed pattern or time zone starts anew: what the old one had left is neither fired nor missed",
    async run({ make, instance, at, runs, row }) {
      const hourly = make("0 * * * *");
      await instance(hourly).tick();
      at("15:30:00.000");
      const daily: Schedule = { ...hourly, pattern: "0 9 * * *" };
      await instance(daily).tick();
      assert.deepEqual(await runs(hourly), []);
      assert.equal((await row(hourly)).nextAt, "2026-02-01T09:00:00.000Z");
      await instance({ ...daily, timezone: "Asia/Tokyo" }).tick();
      assert.equal((await row(hourly)).nextAt, "2026-02-01T00:00:00.000Z");
    },
  },
  {
    name: "two versions of one schedule side by side lose no time of either",
    async run({ make, instance, at, runs }) {
      const old = make("0 11 * * *", { overlap: "queue" });
      const before = instance(old);
      await before.tick();
      const after = instance({ ...old, pattern: "0 12 * * *" });
      await after.tick();
      for (const time of ["11:00:00.000", "12:00:00.000"]) {
        at(time);
        await before.tick();
        await after.tick();
      }
      assert.deepEqual(outcomes(await runs(old)).sort(), ["31T11:00 cron null", "31T12:00 cron null"]);
    },
  },
  {
    name: "a schedule that nobody declares any more is not fired, is retired after three minutes, and starts anew when it is back",
    async run({ make, instance, at, clock, runs, row }) {
      const [gone, stays] = [make("0 * * * *"), make("0 * * * *", { overlap: "queue" })];
      await instance(gone, stays).tick();
      const one = instance(stays);
      clock.move(3 * MINUTE);
      await one.tick();
      assert.equal((await row(gone)).nextAt, "2026-01-31T10:00:00.000Z");
      clock.move(2 * MINUTE);
      await one.tick();
      assert.equal((await row(gone)).nextAt, null);
      at("10:00:00.000");
      await one.tick();
      assert.deepEqual(await runs(gone), []);
      assert.equal((await runs(stays)).length, 1);
      at("15:30:00.000");
      await instance(gone).tick();
      assert.deepEqual(await runs(gone), []);
      assert.equal((await row(gone)).nextAt, "2026-01-31T16:00:00.000Z");
      clock.move(30 * MINUTE);
      await instance(gone).tick();
      assert.equal((await runs(gone)).length, 1);
    },
  },
  {
    name: "while a schedule is paused nothing is due, and one that has been deleted is declared again",
    async run({ db, make, instance, at, runs, row }) {
      const hourly = make("0 * * * *");
      const one = instance(hourly);
      await one.tick();
      const { schedules } = db.tables;
      await db.atomic((tx) => [
        tx.update(schedules).set({ pausedAt: "2026-01-31T09:30:00.000Z" }).where(eq(schedules.id, hourly.name)),
      ]);
      at("15:30:00.000");
      await one.tick();
      assert.deepEqual(await runs(hourly), []);
      await db.atomic((tx) => [tx.delete(schedules).where(eq(schedules.id, hourly.name))]);
      await one.tick();
      assert.equal((await row(hourly)).nextAt, "2026-01-31T16:00:00.000Z");
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
    name: "readiness is told of a time that lies back and was looked after by nobody",
    async run({ make, instance, at }) {
      const hourly = make("0 * * * *");
      const one = instance(hourly);
      await one.tick();
      at("10:05:00.000");
      assert.equal(await one.fault(), null);
      at("10:05:00.001");
      assert.equal(await one.fault(), `${hourly.name} was due at 2026-01-31T10:00:00.000Z`);
      await one.tick();
      assert.equal(await one.fault(), null);
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
      while ((await one.store.purgeRuns(toInstant(clock.now()), 1)) > 0);
      assert.deepEqual(outcomes(await runs(often)), ["31T09:50 cron null"]);
    },
  },
];
