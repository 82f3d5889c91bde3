/** What a started worker claims, by the real clock: a few ahead of what can start, and no more than is good for the others. */
import { afterEach, expect, test } from "bun:test";
import { z } from "zod";
import { systemClock } from "../../src/core/clock.ts";
import { databaseDispatch } from "../../src/ports/queue/database.ts";
import { defineJob, handle } from "../../src/ports/queue/define.ts";
import { cancelJob } from "../../src/ports/queue/operate.ts";
import { cancelMessage, JOBS_TOPIC } from "../../src/ports/queue/port.ts";
import { createJobStore } from "../../src/ports/queue/store.ts";
import { createWorker } from "../../src/ports/queue/worker.ts";
import { by, distant, empty, endAll, ends, job, next, rested, setUp } from "./queue.loop.world.ts";

afterEach(endAll);

test("quick jobs are claimed ahead of what is free, and never those that may be tried only once, nor more than fit of slow ones", async () => {
  const quick = defineJob({ name: "loop.quick", input: z.looseObject({}) });
  const once = defineJob({ name: "loop.once", input: z.looseObject({}), retry: { attempts: 1 } });
  const asked = new Map<string, number>();
  let ran = 0;
  const { worker, queue } = await setUp({
    concurrency: 4,
    handlers: [handle(quick, () => void ran++), handle(once, () => void ran++)],
    store: distant(asked),
  });
  await queue.addMany(quick, empty(1_000));
  await queue.addMany(once, empty(50));
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
    store: distant(asked),
  });
  await queue.addMany(quick, empty(1_000));
  await worker.start();
  while (ran < 1_000) await Bun.sleep(5);
  await queue.addMany(slow, empty(8));
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
    store: distant(),
  });
  await worker.start();
  await queue.addMany(job, empty(1_000));
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
    store: distant(),
  });
  await queue.addMany(job, empty(1_000));
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

test("types with a bound of their own are looked for as soon as one of theirs has ended, and not at the next poll", async () => {
  const few = defineJob({ name: "loop.few", input: z.looseObject({}), concurrency: 1 });
  const grouped = defineJob({ name: "loop.grouped", input: z.looseObject({}), group: { concurrency: 1 } });
  let ran = 0;
  const run = async () => {
    await Bun.sleep(5);
    ran++;
  };
  const { worker, queue } = await setUp({ handlers: [handle(few, run), handle(grouped, run)] });
  const inputs = empty(20);
  await queue.addMany(few, inputs);
  await queue.addMany(grouped, inputs);
  const since = performance.now();
  await worker.start();
  while (ran < 40) await Bun.sleep(5);
  expect(performance.now() - since).toBeLessThan(3_000);
  await worker.settled();
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
    await queue.addMany(narrow, empty(200));
    await worker.start();
    // By looks alone, one a second, of four at most: fifty seconds.
    await all.promise;
  },
  25_000,
);

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
  await queue.addMany(job, empty(many));
  await worker.start();
  await all.promise;
  expect(ranBefore).toBeGreaterThan(0);
  expect(ranBefore).toBeLessThanOrEqual(200);
  await worker.settled();
});
