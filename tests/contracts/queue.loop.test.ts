/** The loop of a started worker, by the real clock: what wakes it, what it waits for, and how it ends. */
import { afterEach, expect, test } from "bun:test";
import { z } from "zod";
import { AppError } from "../../src/core/error.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { defineJob, handle } from "../../src/ports/queue/define.ts";
import { enqueue } from "../../src/ports/queue/enqueue.ts";
import type { EventSource } from "../../src/ports/queue/events.ts";
import { cancelJob } from "../../src/ports/queue/operate.ts";
import { cancelMessage, JOBS_TOPIC, WAKE } from "../../src/ports/queue/port.ts";
import { openSqlite } from "../helpers/databases.ts";
import { openJobs } from "../helpers/jobs.ts";
import { shortest } from "../helpers/time.ts";
import { by, empty, endAll, ends, job, leases, next, rested, setUp } from "./queue.loop.world.ts";

afterEach(endAll);

/** How long the next job takes from before it is enqueued to its end, in milliseconds. */
async function taking(events: EventSource, enqueue: () => Promise<unknown>): Promise<number> {
  await rested();
  const since = performance.now();
  const done = next(events, "completed");
  await enqueue();
  await done;
  return performance.now() - since;
}

test("a commit of the same process starts its job at once, without a poll", async () => {
  const { db, worker, events } = await setUp();
  await worker.start();
  const take = () => taking(events, () => db.atomic((tx) => [enqueue(tx, job, {}, { by: by() })]));
  expect(await shortest(200, take)).toBeLessThan(200);
});

test("a message of the bus wakes a worker for the commit of another process", async () => {
  const { worker, events, queue, bus } = await setUp({ wakes: "bus" });
  await worker.start();
  const take = () =>
    taking(events, async () => {
      await queue.add(job, {});
      bus.publish(JOBS_TOPIC, WAKE);
    });
  expect(await shortest(200, take)).toBeLessThan(200);
});

test("without either it looks by itself within a little more than a second", async () => {
  const { worker, queue, events } = await setUp({ wakes: false });
  await worker.start();
  const take = () => taking(events, () => queue.add(job, {}));
  expect(await shortest(1_500, take)).toBeLessThan(1_500);
});

test("a delayed job starts when it is due, and not at the next poll", async () => {
  const { worker, queue, ran } = await setUp();
  await worker.start();
  const take = async () => {
    await rested();
    ran.length = 0;
    const since = performance.now();
    await queue.add(job, {}, { delayMs: 250 });
    while (ran.length === 0) await Bun.sleep(5);
    const ms = (ran[0]?.at ?? 0) - since;
    expect(ms).toBeGreaterThanOrEqual(249);
    return ms;
  };
  expect(await shortest(600, take)).toBeLessThan(600);
});

test("however many expire at once, they are ended batch by batch, and others run between the batches", async () => {
  const { worker, events, queue } = await setUp();
  await queue.addMany(job, empty(4_500), { ttlMs: 1 });
  const order: string[] = [];
  let ended = 0;
  const all = new Promise<void>((resolve) => {
    events.onJobEvent(({ kind }) => {
      if (kind !== "cancelled" && kind !== "completed") return;
      if (order.at(-1) !== kind) order.push(kind);
      if (kind === "cancelled" && ++ended === 4_500) resolve();
    });
  });
  await Bun.sleep(5);
  const since = performance.now();
  await worker.start();
  await next(events, "cancelled");
  await queue.add(job, {});
  await all;
  expect(performance.now() - since).toBeLessThan(2_400);
  expect(order).toEqual(["cancelled", "completed", "cancelled"]);
});

test("others are woken when there is more than fits here, and not for what this worker takes itself", async () => {
  const { worker, queue, bus, events } = await setUp({
    concurrency: 2,
    handlers: [handle(job, () => Bun.sleep(100))],
  });
  const heard: string[] = [];
  bus.subscribe(JOBS_TOPIC, { message: (text) => void heard.push(text), missed() {} });
  await worker.start();
  await rested();
  const done = next(events, "completed");
  await queue.add(job, {});
  await done;
  expect(heard).toEqual([]);
  await queue.addMany(job, empty(5));
  await rested();
  expect(heard.length).toBeGreaterThan(0);
  expect(heard.every((text) => text === WAKE)).toBe(true);
});

test("a running job that is cancelled is told by the bus at once", async () => {
  const aborted = Promise.withResolvers<unknown>();
  const inside = Promise.withResolvers<void>();
  const { db, worker, queue, bus } = await setUp({
    handlers: [
      handle(job, async (_, { signal }) => {
        inside.resolve();
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        aborted.resolve(signal.reason);
      }),
    ],
  });
  await worker.start();
  const { id } = await queue.add(job, {});
  await inside.promise;
  await db.atomic((tx) => [cancelJob(tx, db.dialect, id ?? "", by().now, "no")]);
  bus.publish(JOBS_TOPIC, cancelMessage(id ?? ""));
  expect(await aborted.promise).toBeInstanceOf(Error);
});

test("while the database is away it waits, keeps the outcomes, and goes on when it is back", async () => {
  let away = false;
  const guarded =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A) => {
      if (away) throw new AppError("unavailable");
      return call(...args);
    };
  const open = Promise.withResolvers<void>();
  const inside = Promise.withResolvers<void>();
  const { worker, queue, reads, lines } = await setUp({
    handlers: [
      handle(job, async () => {
        inside.resolve();
        await open.promise;
      }),
    ],
    store: (s) => ({
      ...s,
      claim: guarded(s.claim),
      settle: guarded(s.settle),
      promote: guarded(s.promote),
      beat: guarded(s.beat),
    }),
  });
  await worker.start();
  const first = await queue.add(job, {});
  await inside.promise;
  away = true;
  open.resolve();
  const second = await queue.add(job, {});
  await Bun.sleep(400);
  expect((await reads.find(first.id ?? ""))?.state).toBe("active");
  away = false;
  const state = async (id: string | null) => (await reads.find(id ?? ""))?.state;
  while ((await state(first.id)) !== "done" || (await state(second.id)) !== "done") await Bun.sleep(10);
  expect((await reads.find(first.id ?? ""))?.attempt).toBe(1);
  expect(lines.map(({ msg }) => msg)).toEqual(["the worker waits for the database", "the worker goes on"]);
});

test("progress is kept while its job runs, also when the first write of it failed", async () => {
  const open = Promise.withResolvers<void>();
  let failures = 1;
  const { worker, queue, reads } = await setUp({
    handlers: [
      handle(job, async (_, { progress }) => {
        progress(50);
        await open.promise;
      }),
    ],
    store: (s) => ({
      ...s,
      async progress(...args) {
        if (failures-- > 0) throw new AppError("unavailable");
        return s.progress(...args);
      },
    }),
  });
  await worker.start();
  const { id } = await queue.add(job, {});
  while ((await reads.find(id ?? ""))?.progress !== 50) await Bun.sleep(20);
  expect((await reads.find(id ?? ""))?.state).toBe("active");
  open.resolve();
  await worker.settled();
});

test("a stop waits for what runs, starts nothing more, and leaves no lease", async () => {
  const inside = Promise.withResolvers<void>();
  const { db, worker, queue, reads } = await setUp({
    concurrency: 1,
    handlers: [
      handle(job, async () => {
        inside.resolve();
        await Bun.sleep(150);
      }),
    ],
  });
  await worker.start();
  const ids = await queue.addMany(job, [{}, {}, {}]);
  await inside.promise;
  await worker.stop(5_000);
  const states = await Promise.all(ids.map(async (id) => (await reads.find(id))?.state));
  expect(states.toSorted()).toEqual(["done", "waiting", "waiting"]);
  expect(await leases(db)).toEqual([]);
});

test("a lease that is still being taken when a worker stops is given up as well", async () => {
  const open = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const registered = Promise.withResolvers<void>();
  const { db, worker } = await setUp({
    store: (s) => ({
      ...s,
      async register(lease) {
        asked.resolve();
        await open.promise;
        await s.register(lease);
        registered.resolve();
      },
    }),
  });
  await worker.start();
  await asked.promise;
  await worker.stop(0);
  open.resolve();
  await registered.promise;
  await rested();
  expect(await leases(db)).toEqual([]);
});

test("a listener that fails hinders neither the job nor other listeners", async () => {
  const { worker, queue, events, lines } = await setUp();
  events.onJobCompleted(() => {
    throw new Error("mine");
  });
  const seen: string[] = [];
  const stop = events.onJobEvent(({ kind }) => seen.push(kind));
  await queue.add(job, {});
  await worker.runOnce();
  stop();
  await queue.add(job, {});
  await worker.runOnce();
  expect(seen).toEqual(["started", "completed"]);
  expect(lines.filter(({ level }) => level === "error")).toHaveLength(2);
});

test("inline: what is committed has run when it is settled, and what jobs enqueue too", async () => {
  const opened = await openSqlite("memory", openBunSqlite);
  ends.push(() => opened.done());
  const { db } = opened;
  const second = defineJob({ name: "loop.second", input: z.object({ of: z.string() }) });
  const ran: unknown[] = [];
  const jobs = openJobs(db, [
    handle(job, async (input, { jobId, ...by }) => {
      ran.push(input);
      await jobs.queue.add(second, { of: jobId }, { by });
    }),
    handle(second, (input, { actor }) => void ran.push(input, actor.type)),
  ]);
  ends.push(() => jobs.done());
  const [[made]] = await db.atomic((tx) => [enqueue(tx, job, { n: 1 }, { by: jobs.by() })]);
  await jobs.settled();
  expect(ran).toEqual([{ n: 1 }, { of: made?.id ?? "" }, "system"]);
});
