import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { z } from "zod";
import { toInstant } from "../../src/core/clock.ts";
import { newId } from "../../src/core/id.ts";
import { createAlertWatch } from "../../src/modules/jobs/alerts.ts";
import { defineJob } from "../../src/ports/queue/define.ts";
import { oldestWaiting } from "../../src/ports/queue/lag.ts";
import { createJobStore } from "../../src/ports/queue/store.ts";
import type { Opened } from "../helpers/databases.ts";
import { engines } from "../helpers/engines.ts";
import { alertWorld, broken, MINUTE, type Receiver, receiver, silent } from "./alerts.world.ts";

describe.each(engines)("alerts on $name", ({ open }) => {
  let opened: Opened;
  let hook: Receiver;
  beforeAll(async () => {
    opened = await open();
  }, 60_000);
  afterAll(() => opened.done());
  beforeEach(() => {
    hook = receiver();
  });
  afterEach(async () => {
    await hook.stop();
    await opened.db.atomic((tx) => [
      tx.prepare((q, { jobs }) => q.delete(jobs))(),
      tx.prepare((q, { jobMinutes }) => q.delete(jobMinutes))(),
      tx.prepare((q, { jobWorkers }) => q.delete(jobWorkers))(),
      tx.prepare((q, { jobQueues }) => q.delete(jobQueues))(),
      tx.prepare((q, { alerts }) => q.delete(alerts))(),
      tx.prepare((q, { schedules }) => q.delete(schedules))(),
      tx.prepare((q, { scheduleRuns }) => q.delete(scheduleRuns))(),
    ]);
  });
  const world = () => alertWorld(opened.db, hook);
  const rows = () => opened.db.all(opened.db.prepare((q, { alerts }) => q.select().from(alerts))(), { fresh: true });

  test("a job that died is told once, by whichever of three instances, and once more when none has died for a while", async () => {
    const { clock, queue, watch, told, run, end } = world();
    const instances = [watch(), watch(), watch()];
    const look = () => Promise.all(instances.map((instance) => instance.look()));
    await queue.addMany(broken, [{ how: "die" }, { how: "die" }, { how: "work" }]);
    await look();
    expect(told()).toEqual([]);
    await run();
    await look();
    clock.move(15_000);
    await look();
    expect(told()).toEqual(["alert.raised job.dead mail.send"]);
    const [raised] = hook.received;
    expect(raised?.data.message).toBe("2 jobs of mail.send died within 5 minutes.");
    expect(raised?.data.detail).toMatchObject({
      dead: 2,
      lastCode: "error",
      lastJobId: expect.stringContaining("job_"),
    });
    expect(JSON.stringify(raised)).not.toContain("ada@example.com");
    for (let i = 0; i < 8; i++) {
      clock.move(MINUTE);
      await look();
    }
    expect(told()).toEqual(["alert.raised job.dead mail.send", "alert.cleared job.dead mail.send"]);
    expect(await rows()).toEqual([]);
    await queue.add(broken, { how: "die" });
    await run();
    await look();
    expect(told()).toHaveLength(3);
    expect(new Set(hook.ids).size).toBe(3);
    await end();
  });

  test("failed attempts are told when they reach the threshold, though no job has died", async () => {
    const { queue, watch, told, run, end } = world();
    const instance = watch();
    await queue.addMany(broken, [{ how: "fail" }, { how: "fail" }, { how: "work" }]);
    await run();
    await instance.look();
    expect(told()).toEqual([]);
    await queue.add(broken, { how: "fail" });
    await run();
    await instance.look();
    expect(told()).toEqual(["alert.raised job.failures mail.send"]);
    expect(hook.received[0]?.data.detail).toMatchObject({ failed: 3, done: 1, threshold: 3 });
    await end();
  });

  test("jobs that wait too long are told, and not those of a queue that is paused", async () => {
    const { clock, queue, watch, told, run, end } = world();
    const instance = watch();
    await queue.add(broken, { how: "work" });
    clock.move(5 * MINUTE - 1);
    await instance.look();
    expect(told()).toEqual([]);
    const pause = (pausedAt: string | null) =>
      opened.db.atomic((tx) => [
        tx.insert(opened.db.tables.jobQueues).values({ id: "default", pausedAt }).onConflictDoUpdate({
          target: opened.db.tables.jobQueues.id,
          set: { pausedAt },
        }),
      ]);
    await pause(toInstant(clock.now()));
    clock.move(MINUTE);
    await instance.look();
    expect(told()).toEqual([]);
    await pause(null);
    await instance.look();
    expect(told()).toEqual(["alert.raised job.waiting mail.send"]);
    expect(hook.received[0]?.data.message).toBe("Jobs of mail.send wait: the oldest has been due for 360 seconds.");
    await run();
    clock.move(20_000);
    await instance.look();
    expect(told()).toHaveLength(1);
    clock.move(25_000);
    await instance.look();
    expect(told().slice(1)).toEqual(["alert.cleared job.waiting mail.send"]);
    await end();
  });

  test("jobs that wait are told of also when a younger one stands before them, and others in a hundred priorities", async () => {
    const { clock, queue, watch, told, end } = world();
    const { db } = opened;
    const other = defineJob({ name: "a.before", input: z.object({}) });
    await queue.add(broken, { how: "work" }, { delayMs: 6 * MINUTE });
    await queue.addMany(broken, [{ how: "work" }, { how: "work" }]);
    for (let priority = 0; priority < 100; priority++) await queue.add(other, {}, { priority });
    const waiting = async () =>
      (await oldestWaiting(db, toInstant(clock.now()))).map(({ name, ms }) => `${name} ${ms / MINUTE}`).toSorted();
    clock.move(6 * MINUTE);
    expect(await waiting()).toEqual(["a.before 6", "mail.send 6"]);
    await watch().look();
    await createJobStore(db).promote(toInstant(clock.now()), 10);
    expect(await waiting()).toEqual(["a.before 6", "mail.send 6"]);
    clock.move(MINUTE);
    await watch().look();
    expect(told().toSorted()).toEqual(["alert.raised job.unknown a.before", "alert.raised job.waiting mail.send"]);
    await end();
  });

  test("jobs of a name that no worker knows are told of, until one does", async () => {
    const { clock, queue, watch, told, end } = world();
    const instance = watch();
    const other = defineJob({ name: "report.make", input: z.object({}) });
    await queue.add(other, {});
    clock.move(MINUTE);
    await instance.look();
    expect(told()).toEqual(["alert.raised job.unknown report.make"]);
    const now = toInstant(clock.now());
    await opened.db.atomic((tx) => [
      tx
        .insert(opened.db.tables.jobWorkers)
        .values({ id: newId("wrk"), seenAt: now, names: ["report.make"], concurrency: 1, dispatch: "database" }),
    ]);
    clock.move(MINUTE);
    await instance.look();
    expect(told()).toEqual(["alert.raised job.unknown report.make", "alert.cleared job.unknown report.make"]);
    await end();
  });

  test("a schedule that was not fired, and a run that was missed, are told, and none that is paused", async () => {
    const { clock, watch, told, end } = world();
    const instance = watch();
    const now = toInstant(clock.now());
    const common = { pattern: "* * * * *", timezone: "UTC", jobName: "mail.send", nextAt: now };
    await opened.db.atomic((tx) => [
      tx.insert(opened.db.tables.schedules).values([
        { id: "mail.daily", ...common },
        { id: "mail.paused", ...common, pausedAt: now },
      ]),
    ]);
    clock.move(5 * MINUTE);
    await instance.look();
    expect(told()).toEqual([]);
    clock.move(MINUTE);
    await opened.db.atomic((tx) => [
      tx.insert(opened.db.tables.scheduleRuns).values({
        id: newId("run"),
        createdAt: toInstant(clock.now()),
        scheduleName: "mail.hourly",
        dueAt: now,
        cause: "cron",
        outcome: "missed",
      }),
      // By a clock that was ahead.
      tx.insert(opened.db.tables.scheduleRuns).values({
        id: newId("run"),
        createdAt: toInstant(clock.now()),
        scheduleName: "mail.tomorrow",
        dueAt: toInstant(clock.now() + MINUTE),
        cause: "cron",
        outcome: "missed",
      }),
    ]);
    await instance.look();
    expect(told().toSorted()).toEqual([
      "alert.raised schedule.missed mail.daily",
      "alert.raised schedule.missed mail.hourly",
    ]);
    await end();
  });

  test("what could not be told is told later, by another instance too, and not more often than its pauses allow", async () => {
    const { clock, queue, watch, told, run, end } = world();
    const [one, two] = [watch(), watch()];
    hook.now.status = 503;
    await queue.add(broken, { how: "die" });
    await run();
    await one.look();
    await two.look();
    expect(hook.ids).toHaveLength(1);
    for (let i = 0; i < 8; i++) {
      clock.move(15_000);
      await Promise.all([one.look(), two.look()]);
    }
    expect(hook.ids.length).toBeGreaterThan(1);
    expect(hook.ids.length).toBeLessThan(6);
    hook.now.status = 200;
    for (let i = 0; i < 10; i++) {
      clock.move(15_000);
      await two.look();
    }
    expect(told()).toEqual(["alert.raised job.dead mail.send"]);
    expect(new Set(hook.ids)).toHaveLength(1);
    await end();
  });

  test("an instance that dies while it tells leaves the alert to another", async () => {
    const { clock, queue, watch, told, run, end } = world();
    const telling = Promise.withResolvers<void>();
    const tell = () => {
      telling.resolve();
      return new Promise<never>(() => {});
    };
    const dying = watch({ driver: "webhook", tell });
    await queue.add(broken, { how: "die" });
    await run();
    void dying.look();
    await telling.promise;
    const heir = watch();
    await heir.look();
    expect(told()).toEqual([]);
    clock.move(21_000);
    await heir.look();
    expect(told()).toEqual(["alert.raised job.dead mail.send"]);
    await end();
  });

  test("a receiver that does not answer holds nothing up when the instance ends, and another tells what it left", async () => {
    const { clock, queue, watch, told, run, end } = world();
    hook.now.hangs = true;
    await queue.addMany(broken, [{ how: "die" }, { how: "fail" }, { how: "fail" }]);
    await run();
    const leaving = watch();
    const looked = leaving.look();
    while (hook.asked.length === 0) await Bun.sleep(5);
    const since = performance.now();
    await leaving.stop();
    await looked;
    expect(performance.now() - since).toBeLessThan(2_000);
    expect(hook.asked).toHaveLength(1);
    hook.now.hangs = false;
    clock.move(21_000);
    await watch().look();
    expect(told().toSorted()).toEqual(["alert.raised job.dead mail.send", "alert.raised job.failures mail.send"]);
    await end();
  });

  test("a condition that ends before anybody could be told leaves nothing behind", async () => {
    const { clock, watch, told, end } = world();
    let holds = true;
    const rules = { kind: "job.dead" as const, subject: "x", message: "m", detail: {} };
    const instance = createAlertWatch({
      db: opened.db,
      alerts: { driver: "log", tell: async () => {} },
      clock,
      log: silent,
      find: async () => (holds ? [rules] : []),
    });
    await instance.look();
    holds = false;
    clock.move(MINUTE);
    await instance.look();
    expect(await rows()).toEqual([]);
    expect(told()).toEqual([]);
    await watch().look();
    await end();
  });

  test("what waits longest is found beside 20,000 that wait", async () => {
    const { clock, queue, watch, told, end } = world();
    await queue.add(broken, { how: "work" });
    clock.move(5 * MINUTE + 1);
    await queue.addMany(
      broken,
      Array.from({ length: 20_000 }, () => ({ how: "work" as const })),
    );
    await watch().look();
    expect(told()).toEqual(["alert.raised job.waiting mail.send"]);
    const [count] = await opened.db.all(
      opened.db.prepare((q, { jobs }) => q.select({ n: sql<number>`count(*)`.mapWith(Number) }).from(jobs))(),
      { fresh: true },
    );
    expect(count?.n).toBe(20_001);
    await end();
  });
});
