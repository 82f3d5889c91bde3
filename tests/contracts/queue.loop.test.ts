/** The loop of a started worker, by the real clock: what wakes it, what it waits for, and how it ends. */
import { afterEach, expect, test } from "bun:test";
import { z } from "zod";
import { systemClock } from "../../src/core/clock.ts";
import { AppError } from "../../src/core/error.ts";
import { createMemoryBus } from "../../src/ports/bus/memory.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { databaseDispatch } from "../../src/ports/queue/database.ts";
import { defineJob, handle, type JobHandler } from "../../src/ports/queue/define.ts";
import { enqueue } from "../../src/ports/queue/enqueue.ts";
import { createJobEvents, type EventSource } from "../../src/ports/queue/events.ts";
import { cancelJob, createJobReads } from "../../src/ports/queue/operate.ts";
import { cancelMessage, JOBS_TOPIC, type JobEvent, WAKE } from "../../src/ports/queue/port.ts";
import { createQueue } from "../../src/ports/queue/queue.ts";
import { createJobStore, type JobStore } from "../../src/ports/queue/store.ts";
import { connect } from "../../src/ports/queue/wake.ts";
import { createWorker, type WorkerOptions } from "../../src/ports/queue/worker.ts";
import { type Opened, openSqlite } from "../helpers/databases.ts";
import { openJobs } from "../helpers/jobs.ts";
import { shortest } from "../helpers/time.ts";

const ends: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const job = defineJob({ name: "loop.work", input: z.looseObject({}) });
const by = () => ({
  actor: { type: "system" as const, id: "test" },
  requestId: null,
  traceId: null,
  now: new Date().toISOString(),
});

async function setUp(
  options: { wakes?: "bus" | false; handlers?: JobHandler[]; store?: (store: JobStore) => JobStore } & Partial<
    Pick<WorkerOptions, "concurrency" | "dispatch">
  > = {},
) {
  const opened: Opened = await openSqlite("memory", openBunSqlite);
  ends.push(() => opened.done());
  const { db } = opened;
  const lines: { level: string; msg: string }[] = [];
  const log = createConsoleLog({ level: "info", print: (line) => lines.push(JSON.parse(line)) });
  const events = createJobEvents({ log });
  const plain = createJobStore(db);
  const store = options.store?.(plain) ?? plain;
  const ran: { input: unknown; at: number }[] = [];
  const handlers = options.handlers ?? [handle(job, (input) => void ran.push({ input, at: performance.now() }))];
  const worker = createWorker({
    store,
    handlers,
    dispatch: databaseDispatch,
    events,
    clock: systemClock,
    log,
    concurrency: options.concurrency ?? 4,
    onSurplus: () => wakes?.others(),
  });
  ends.push(() => worker.stop(0));
  const bus = createMemoryBus({ log });
  // As of another process, whose commits are not heard here.
  const heard = options.wakes === "bus" ? { ...db, committed: () => () => {} } : db;
  const wakes = options.wakes === false ? null : connect({ db: heard, bus, log, worker, relay: null });
  if (wakes) ends.push(() => wakes.close());
  return {
    db,
    bus,
    log,
    lines,
    events,
    worker,
    ran,
    queue: createQueue({ db, clock: systemClock }),
    reads: createJobReads(db),
  };
}

const next = <K extends JobEvent["kind"]>(events: EventSource, kind: K) =>
  new Promise<JobEvent>((resolve) => {
    const stop = events.onJobEvent((event) => {
      if (event.kind !== kind) return;
      stop();
      resolve(event);
    });
  });

const leases = (db: Db) => {
  const { jobWorkers } = db.tables;
  return db.all(db.prepare((q) => q.select({ id: jobWorkers.id }).from(jobWorkers))(), { fresh: true });
};

/** Long enough for the loop to have looked and to rest. */
const rested = () => Bun.sleep(50);

test("a commit of the same process starts its job at once, without a poll", async () => {
  const { db, worker, events } = await setUp();
  await worker.start();
  const take = async () => {
    await rested();
    const since = performance.now();
    const done = next(events, "completed");
    await db.atomic((tx) => [enqueue(tx, job, {}, { by: by() })]);
    await done;
    return performance.now() - since;
  };
  expect(await shortest(200, take)).toBeLessThan(200);
});

test("a message of the bus wakes a worker for the commit of another process", async () => {
  const { worker, events, queue, bus } = await setUp({ wakes: "bus" });
  await worker.start();
  const take = async () => {
    await rested();
    const since = performance.now();
    const done = next(events, "completed");
    await queue.add(job, {});
    bus.publish(JOBS_TOPIC, WAKE);
    await done;
    return performance.now() - since;
  };
  expect(await shortest(200, take)).toBeLessThan(200);
});

test("without either it looks by itself within a little more than a second", async () => {
  const { worker, queue, events } = await setUp({ wakes: false });
  await worker.start();
  const take = async () => {
    await rested();
    const since = performance.now();
    const done = next(events, "completed");
    await queue.add(job, {});
    await done;
    return performance.now() - since;
  };
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
  await queue.addMany(job, Array(4_500).fill({}), { ttlMs: 1 });
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
  await queue.addMany(job, [{}, {}, {}, {}, {}]);
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

test("a job that was claimed ahead and is cancelled does not begin", async () => {
  const open = Promise.withResolvers<void>();
  const inside = Promise.withResolvers<void>();
  const ran: unknown[] = [];
  const { db, worker, queue, bus, events, reads } = await setUp({
    concurrency: 1,
    handlers: [
      handle(job, ({ n }) => {
        ran.push(n);
        if (n !== 0) return;
        inside.resolve();
        return open.promise;
      }),
    ],
    // As of a database that is not in the process.
    store: (s) => ({
      ...s,
      async claim(...args) {
        await Bun.sleep(3);
        return s.claim(...args);
      },
    }),
  });
  await queue.addMany(
    job,
    Array.from({ length: 1_000 }, () => ({})),
  );
  await worker.start();
  while (ran.length < 1_000) await Bun.sleep(5);
  const ids = await queue.addMany(job, [{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }]);
  await inside.promise;
  const state = async (id: string | undefined) => (await reads.find(id ?? ""))?.state;
  expect(await state(ids[2])).toBe("active");
  const told = next(events, "cancelled");
  await db.atomic((tx) => [cancelJob(tx, db.dialect, ids[2] ?? "", by().now, "no")]);
  bus.publish(JOBS_TOPIC, cancelMessage(ids[2] ?? ""));
  expect((await told).id).toBe(ids[2] ?? "");
  open.resolve();
  while (!ran.includes(3)) await Bun.sleep(5);
  await worker.settled();
  expect(ran.slice(1_000)).toEqual([0, 1, 3]);
  expect(await state(ids[2])).toBe("cancelled");
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

test("quick jobs are claimed ahead of what is free, and never those that may be tried only once, nor more than fit of slow ones", async () => {
  const quick = defineJob({ name: "loop.quick", input: z.looseObject({}) });
  const once = defineJob({ name: "loop.once", input: z.looseObject({}), retry: { attempts: 1 } });
  const asked = new Map<string, number>();
  let ran = 0;
  const { worker, queue } = await setUp({
    concurrency: 4,
    handlers: [handle(quick, () => void ran++), handle(once, () => void ran++)],
    store: (s) => ({
      ...s,
      // As of a database that is not in the process.
      async claim(slots, options) {
        for (const { name, free } of slots) asked.set(name, Math.max(asked.get(name) ?? 0, free));
        await Bun.sleep(3);
        return s.claim(slots, options);
      },
    }),
  });
  await queue.addMany(
    quick,
    Array.from({ length: 1_000 }, () => ({})),
  );
  await queue.addMany(
    once,
    Array.from({ length: 50 }, () => ({})),
  );
  // The first claim knows nothing of how long they take.
  expect(await worker.runOnce()).toBe(4);
  expect([...asked.values()]).toEqual([4, 4]);
  await worker.start();
  while (ran < 1_050) await Bun.sleep(5);
  expect(asked.get("loop.quick")).toBeGreaterThan(50);
  expect(asked.get("loop.once")).toBe(4);
});

test("however quick others were, no more of a slow type are claimed than can start", async () => {
  const quick = defineJob({ name: "loop.quick", input: z.looseObject({}) });
  const slow = defineJob({ name: "loop.slow", input: z.looseObject({}) });
  const asked = new Map<string, number>();
  let ran = 0;
  const { worker, queue } = await setUp({
    concurrency: 4,
    handlers: [handle(quick, () => void ran++), handle(slow, () => Bun.sleep(50))],
    store: (s) => ({
      ...s,
      async claim(slots, options) {
        for (const { name, free } of slots) asked.set(name, Math.max(asked.get(name) ?? 0, free));
        await Bun.sleep(3);
        return s.claim(slots, options);
      },
    }),
  });
  await queue.addMany(
    quick,
    Array.from({ length: 1_000 }, () => ({})),
  );
  await worker.start();
  while (ran < 1_000) await Bun.sleep(5);
  await queue.addMany(slow, [{}, {}, {}, {}, {}, {}, {}, {}]);
  await rested();
  await worker.stop(5_000);
  expect(asked.get("loop.quick")).toBeGreaterThan(50);
  expect(asked.get("loop.slow")).toBe(4);
});

test("what was claimed ahead, and cannot start for long, is given back, and runs elsewhere", async () => {
  const open = Promise.withResolvers<void>();
  let quick = 0;
  let inside = 0;
  const handlers = [
    handle(job, ({ waits }) => {
      if (!waits) return void quick++;
      inside++;
      return open.promise;
    }),
  ];
  const { worker, queue, db, log, events, reads } = await setUp({
    concurrency: 2,
    handlers,
    store: (s) => ({
      ...s,
      async claim(...args) {
        await Bun.sleep(3);
        return s.claim(...args);
      },
    }),
  });
  await worker.start();
  await queue.addMany(
    job,
    Array.from({ length: 1_000 }, () => ({})),
  );
  while (quick < 1_000) await Bun.sleep(5);
  const ids = await queue.addMany(
    job,
    Array.from({ length: 40 }, () => ({ waits: true })),
  );
  const active = async () => (await reads.counts()).find(({ state }) => state === "active")?.count ?? 0;
  while ((await active()) < 10) await Bun.sleep(5);
  const options = { handlers, dispatch: databaseDispatch, events, clock: systemClock, log, concurrency: 40 };
  const other = createWorker({ ...options, store: createJobStore(db) });
  ends.push(() => other.stop(0));
  await other.start();
  while (inside < ids.length) await Bun.sleep(10);
  open.resolve();
  await Promise.all([worker.settled(), other.settled()]);
  const ended = await Promise.all(ids.map((id) => reads.find(id)));
  expect(ended.every((job) => job?.state === "done" && job.attempt === 1)).toBe(true);
});

test("types with a bound of their own are looked for as soon as one of theirs has ended, and not at the next poll", async () => {
  const few = defineJob({ name: "loop.few", input: z.looseObject({}), concurrency: 1 });
  const grouped = defineJob({ name: "loop.grouped", input: z.looseObject({}), group: { concurrency: 1 } });
  let ran = 0;
  const run = async () => {
    await Bun.sleep(5);
    ran++;
  };
  const { worker, queue } = await setUp({ handlers: [handle(few, run), handle(grouped, run)] });
  const inputs = Array.from({ length: 20 }, () => ({}));
  await queue.addMany(few, inputs);
  await queue.addMany(grouped, inputs);
  const since = performance.now();
  await worker.start();
  while (ran < 40) await Bun.sleep(5);
  expect(performance.now() - since).toBeLessThan(3_000);
  await worker.settled();
});

test("however many jobs end at once, the process goes on with other things between them", async () => {
  const many = 1_000;
  let ran = 0;
  let ranBefore = 0;
  const all = Promise.withResolvers<void>();
  const run = () => {
    if (ran++ === 0) setImmediate(() => (ranBefore = ran));
    if (ran === many) all.resolve();
  };
  const { queue, worker } = await setUp({ concurrency: many, handlers: [handle(job, run)] });
  await queue.addMany(
    job,
    Array.from({ length: many }, () => ({})),
  );
  await worker.start();
  await all.promise;
  expect(ranBefore).toBeGreaterThan(0);
  expect(ranBefore).toBeLessThanOrEqual(200);
  await worker.settled();
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

test.each<[string, Parameters<typeof defineJob>[0]["group"] | null, object]>([
  ["of a type of which one may run at once", null, { concurrency: 1 }],
  ["of a type that may be tried only once", null, { retry: { attempts: 1 } }],
  ["of one group", { concurrency: 1 }, {}],
])(
  "jobs %s follow each other without waiting for the next look",
  async (_, group, spec) => {
    const narrow = defineJob({ name: "loop.narrow", input: z.looseObject({}), ...(group && { group }), ...spec });
    const all = Promise.withResolvers<void>();
    let ran = 0;
    const { worker, queue } = await setUp({ handlers: [handle(narrow, () => void (++ran === 200 && all.resolve()))] });
    await queue.addMany(
      narrow,
      Array.from({ length: 200 }, () => ({})),
    );
    await worker.start();
    // By looks alone, one a second, of four at most: fifty seconds.
    await all.promise;
  },
  25_000,
);
