/** What every dispatch of the queue does on every engine, under whatever runtime. The clock stands still unless a case moves it. */
import assert from "node:assert/strict";
import { sql } from "drizzle-orm";
import { z } from "zod";
import { toInstant } from "../../src/core/clock.ts";
import { AppError } from "../../src/core/error.ts";
import { newId } from "../../src/core/id.ts";
import { type Db, must } from "../../src/ports/db/port.ts";
import { createMemoryLimits } from "../../src/ports/limits/memory.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import {
  defineJob,
  handle,
  type JobContext,
  type JobHandler,
  PayloadError,
  PermanentError,
} from "../../src/ports/queue/define.ts";
import { enqueue } from "../../src/ports/queue/enqueue.ts";
import { createJobEvents } from "../../src/ports/queue/events.ts";
import {
  cancelJob,
  createJobReads,
  drainQueue,
  pauseQueue,
  purgeJobs,
  retryJobs,
} from "../../src/ports/queue/operate.ts";
import { MAX_PAYLOAD_BYTES } from "../../src/ports/queue/payload.ts";
import type { Cause, Dispatch, Job, JobEvent } from "../../src/ports/queue/port.ts";
import { createQueue } from "../../src/ports/queue/queue.ts";
import { createJobStore, type JobStore } from "../../src/ports/queue/store.ts";
import { createWorker, type Worker, type WorkerOptions } from "../../src/ports/queue/worker.ts";
import { type MovingClock, movingClock } from "./limits.ts";

export interface QueueWorld {
  db: Db;
  dispatch: Dispatch;
  clock: MovingClock;
  store: JobStore;
  queue: ReturnType<typeof createQueue>;
  reads: ReturnType<typeof createJobReads>;
  events: JobEvent[];
  by(): Cause;
  now(): string;
  worker(handlers: JobHandler[], options?: Partial<WorkerOptions>): Worker;
  job(id: string | null): Promise<Job>;
  end(): Promise<void>;
}

interface QueueCase {
  name: string;
  run(world: QueueWorld): Promise<void>;
}

export function queueWorld(db: Db, dispatch: Dispatch): QueueWorld {
  const clock = movingClock();
  const log = createConsoleLog({ level: "silent", print: () => {} });
  const store = createJobStore(db);
  const reads = createJobReads(db);
  const source = createJobEvents({ log });
  const events: JobEvent[] = [];
  source.onJobEvent((event) => events.push(event));
  const workers: Worker[] = [];
  const now = () => toInstant(clock.now());
  return {
    db,
    dispatch,
    clock,
    store,
    reads,
    events,
    now,
    queue: createQueue({ db, clock }),
    by: () => ({
      actor: { type: "user", id: "user_1", role: "user", sessionId: null },
      requestId: "r1",
      traceId: "t1",
      now: now(),
    }),
    worker(handlers, options = {}) {
      const limits = createMemoryLimits({ clock });
      const random = () => 1;
      const made = createWorker({
        store,
        handlers,
        dispatch,
        events: source,
        clock,
        log,
        concurrency: 10,
        limits,
        random,
        ...options,
      });
      workers.push(made);
      return made;
    },
    async job(id) {
      const job = await reads.find(id ?? "");
      assert.ok(job, `there is no job ${id}`);
      return job;
    },
    async end() {
      for (const worker of workers) await worker.stop(0);
    },
  };
}

let names = 0;
/** A name that no other case uses, nor another run on the same database. */
const newName = () => `case.${Date.now().toString(36)}.${names++}`;
const anything = z.looseObject({});
const type = (spec: Partial<Parameters<typeof defineJob<typeof anything>>[0]> = {}) =>
  defineJob({ name: newName(), input: anything, ...spec });
const gate = () => {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
};
const kinds = (events: JobEvent[]) => events.map(({ kind }) => kind);

export const queueCases: QueueCase[] = [
  {
    name: "a job runs once with its input, its cause and its signal, and its result is kept",
    async run({ worker, queue, job, by, now, events }) {
      const add = defineJob({
        name: newName(),
        input: z.object({ a: z.number(), b: z.number().default(2) }),
        result: z.object({ sum: z.number() }),
      });
      const seen: JobContext[] = [];
      const w = worker([
        handle(add, async ({ a, b }, ctx) => {
          seen.push(ctx);
          return { sum: a + b, more: "left out" };
        }),
      ]);
      const { id, created } = await queue.add(add, { a: 1 }, { by: by() });
      assert.equal(created, true);
      assert.equal((await job(id)).state, "waiting");
      assert.equal(await w.runOnce(), 1);
      assert.equal(await w.runOnce(), 0);
      const { state, result, attempt, startedAt, finishedAt, actor, requestId, traceId } = await job(id);
      assert.deepEqual(
        { state, result, attempt, startedAt, finishedAt, requestId, traceId },
        {
          state: "done",
          result: { sum: 3 },
          attempt: 1,
          startedAt: now(),
          finishedAt: now(),
          requestId: "r1",
          traceId: "t1",
        },
      );
      assert.deepEqual(actor, by().actor);
      assert.equal(seen.length, 1);
      assert.deepEqual([seen[0]?.jobId, seen[0]?.attempt, seen[0]?.actor, seen[0]?.now], [id, 1, by().actor, now()]);
      assert.equal(seen[0]?.signal.aborted, false);
      assert.deepEqual(kinds(events), ["started", "completed"]);
    },
  },
  {
    name: "a list that fails leaves no job, and one that commits leaves its own",
    async run({ db, by, reads }) {
      const t = type();
      const { users } = db.tables;
      const before = (await reads.counts()).length;
      await assert.rejects(
        db.atomic((tx) => [
          enqueue(tx, t, {}, { by: by() }),
          must(tx.update(users).set({ name: "x" }).where(sql`id = 'nobody'`)),
        ]),
        (error: AppError) => error.code === "conflict",
      );
      assert.equal((await reads.counts()).length, before);
      const id = newId("user");
      const [, [made]] = await db.atomic((tx) => [
        tx.insert(users).values({ id, email: `${id}@example.com`, name: "Ada", role: "user" }),
        enqueue(tx, t, { userId: id }, { by: by() }),
      ]);
      assert.match(made?.id ?? "", /^job_/);
      assert.deepEqual((await reads.find(made?.id ?? ""))?.input, { userId: id });
    },
  },
  {
    name: "a delayed job runs when it is due and not before, whether by delay or by time",
    async run({ worker, queue, clock, job, now }) {
      const t = type();
      const w = worker([handle(t, () => {})]);
      const delayed = await queue.add(t, {}, { delayMs: 1_000 });
      const timed = await queue.add(t, {}, { runAt: toInstant(clock.now() + 2_000) });
      const past = await queue.add(t, {}, { runAt: toInstant(clock.now() - 5_000) });
      assert.equal((await job(delayed.id)).state, "delayed");
      assert.equal(await w.runOnce(), 1);
      assert.equal((await job(past.id)).state, "done");
      clock.move(999);
      assert.equal(await w.runOnce(), 0);
      clock.move(1);
      assert.equal(await w.runOnce(), 1);
      assert.equal((await job(delayed.id)).startedAt, now());
      clock.move(1_000);
      assert.equal(await w.runOnce(), 1);
      assert.equal((await job(timed.id)).state, "done");
    },
  },
  {
    name: "higher priority is first, then the older one",
    async run({ worker, queue }) {
      const t = type({ priority: 1 });
      const ran: unknown[] = [];
      const w = worker([handle(t, ({ n }) => void ran.push(n))], { concurrency: 1 });
      for (const [n, priority] of [
        [1, undefined],
        [2, undefined],
        [3, 5],
        [4, -5],
        [5, 5],
      ] as const) {
        await queue.add(t, { n }, priority === undefined ? {} : { priority });
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      while ((await w.runOnce()) > 0);
      assert.deepEqual(ran, [3, 5, 1, 2, 4]);
    },
  },
  {
    name: "claims that follow each other take every job once, and what comes up meanwhile before the place that they have reached",
    async run({ store, queue, now }) {
      const t = type();
      const workerId = newName();
      const slot = { name: t.name, queue: t.queue, version: 1, perGroup: null };
      await store.register({ id: workerId, names: [t.name], concurrency: 5, dispatch: "database", now: now() });
      const ids = await queue.addMany(t, [{}, {}, {}, {}, {}, {}]);
      const claimed: string[] = [];
      const claim = async (total: number) => {
        const jobs = await store.claim([{ ...slot, free: total }], { workerId, now: now(), total });
        claimed.push(...jobs.map(({ id }) => id));
        return jobs.length;
      };
      assert.equal(await claim(2), 2);
      ids.push((await queue.add(t, {}, { priority: 5 })).id ?? "");
      assert.equal(await claim(2), 2);
      assert.equal(await claim(10), 3);
      assert.equal(await claim(10), 0);
      assert.deepEqual(claimed.toSorted(), ids.toSorted());
      await store.leave(workerId);
    },
  },
  {
    name: "many are enqueued with few statements and each runs once",
    async run({ worker, queue, job, clock }) {
      const t = type({ group: { key: ({ n }) => `group\n${Number(n) % 3}` } });
      const ran = new Map<unknown, number>();
      const w = worker([handle(t, ({ n }) => void ran.set(n, (ran.get(n) ?? 0) + 1))], { concurrency: 500 });
      const text = 'line\nfeed, "quote", \\ and ü';
      const inputs = Array.from({ length: 2_345 }, (_, n) => ({ n, text }));
      const ids = await queue.addMany(t, inputs);
      assert.equal(new Set(ids).size, 2_345);
      assert.deepEqual((await job(ids[2_000] ?? "")).input, { n: 2_000, text });
      assert.equal((await job(ids[2_000] ?? "")).groupKey, "group\n2");
      while ((await w.runOnce()) > 0);
      assert.equal(ran.size, 2_345);
      assert.ok([...ran.values()].every((times) => times === 1));
      const [later] = await queue.addMany(t, [{ n: 0 }], { delayMs: 10, priority: 3 });
      assert.deepEqual([(await job(later ?? "")).state, (await job(later ?? "")).priority], ["delayed", 3]);
      clock.move(10);
      assert.equal(await w.runOnce(), 1);
      assert.deepEqual(await queue.addMany(t, []), []);
    },
  },
  {
    name: "large payloads and results are carried by more statements",
    async run({ worker, queue, job }) {
      const t = defineJob({
        name: newName(),
        input: z.object({ text: z.string() }),
        result: z.object({ text: z.string() }),
      });
      const w = worker([handle(t, ({ text }) => ({ text }))]);
      const texts = ["a", "b", "c", "d"].map((letter) => letter.repeat(600_000));
      const ids = await queue.addMany(
        t,
        texts.map((text) => ({ text })),
      );
      assert.equal(await w.runOnce(), 4);
      for (const [i, id] of ids.entries()) {
        const { state, result } = await job(id);
        assert.deepEqual([state, result], ["done", { text: texts[i] }]);
      }
    },
  },
  {
    name: "unique, skip: while one has not ended no other is made",
    async run({ worker, queue, job }) {
      const t = type({ unique: { key: ({ k }) => String(k), mode: "skip" } });
      const inside = gate();
      const open = gate();
      const w = worker([
        handle(t, async () => {
          inside.open();
          await open.opened;
        }),
      ]);
      const first = await queue.add(t, { k: 1, n: 1 });
      const second = await queue.add(t, { k: 1, n: 2 });
      const other = await queue.add(t, { k: 2 });
      assert.deepEqual([first.created, second, other.created], [true, { id: null, created: false }, true]);
      const running = w.runOnce();
      await inside.opened;
      assert.equal((await queue.add(t, { k: 1 })).created, false);
      open.open();
      await running;
      assert.deepEqual((await job(first.id)).input, { k: 1, n: 1 });
      assert.equal((await queue.add(t, { k: 1 })).created, true);
    },
  },
  {
    name: "unique, replace: one that has not started takes the new input and keeps its time; a running one does not hinder",
    async run({ worker, queue, job, clock }) {
      const t = type();
      const unique = { key: "k", mode: "replace" } as const;
      const inside = gate();
      const open = gate();
      const w = worker([
        handle(t, async () => {
          inside.open();
          await open.opened;
        }),
      ]);
      const first = await queue.add(t, { n: 1 }, { unique, delayMs: 1_000 });
      const due = (await job(first.id)).runAt;
      clock.move(500);
      assert.deepEqual(await queue.add(t, { n: 2 }, { unique, delayMs: 1_000, priority: 7 }), {
        id: first.id,
        created: false,
      });
      const { input, runAt, priority, state } = await job(first.id);
      assert.deepEqual(
        { input, runAt, priority, state },
        { input: { n: 2 }, runAt: due, priority: 7, state: "delayed" },
      );
      clock.move(500);
      const running = w.runOnce();
      await inside.opened;
      const next = await queue.add(t, { n: 3 }, { unique });
      assert.equal(next.created, true);
      assert.equal((await queue.add(t, { n: 4 }, { unique })).id, next.id);
      open.open();
      await running;
      assert.deepEqual((await job(first.id)).input, { n: 2 });
      assert.deepEqual((await job(next.id)).input, { n: 4 });
    },
  },
  {
    name: "unique, debounce: each new one begins the delay anew, and one job runs with the last input",
    async run({ worker, queue, job, clock }) {
      const t = type({ unique: { key: () => "one", mode: "debounce" } });
      const ran: unknown[] = [];
      const w = worker([handle(t, ({ n }) => void ran.push(n))]);
      const { id } = await queue.add(t, { n: 0 }, { delayMs: 1_000 });
      for (let n = 1; n <= 3; n++) {
        clock.move(900);
        assert.equal(await w.runOnce(), 0);
        assert.equal((await queue.add(t, { n }, { delayMs: 1_000 })).id, id);
      }
      assert.equal((await job(id)).runAt, toInstant(clock.now() + 1_000));
      clock.move(1_000);
      assert.equal(await w.runOnce(), 1);
      assert.deepEqual(ran, [3]);
    },
  },
  {
    name: "of a group no more run at once than its type says, over several workers, and others go on",
    async run({ worker, queue }) {
      const t = type({ group: { key: ({ g }) => String(g), concurrency: 2 } });
      const running = new Map<unknown, number>();
      let most = 0;
      let total = 0;
      const open = gate();
      const handler = handle(t, async ({ g }) => {
        running.set(g, (running.get(g) ?? 0) + 1);
        most = Math.max(most, running.get(g) ?? 0);
        total++;
        await open.opened;
        running.set(g, (running.get(g) ?? 0) - 1);
      });
      for (let i = 0; i < 18; i++) await queue.add(t, { g: i % 3 });
      const workers = [worker([handler]), worker([handler])];
      const first = workers.map((w) => w.runOnce());
      // One of them gets all that may run, and the other ends at once.
      assert.equal(await Promise.race(first), 0);
      while (total < 6) await new Promise((resolve) => setTimeout(resolve, 1));
      open.open();
      assert.deepEqual((await Promise.all(first)).toSorted(), [0, 6]);
      for (;;) {
        const more = await Promise.all(workers.map((w) => w.runOnce()));
        if (more.every((n) => n === 0)) break;
      }
      assert.deepEqual([most, total], [2, 18]);
    },
  },
  {
    name: "without a key all jobs of the type are one group, however they are enqueued",
    async run({ worker, queue, job }) {
      const t = type({ group: { concurrency: 1 } });
      let now = 0;
      let most = 0;
      const w = worker([
        handle(t, async () => {
          most = Math.max(most, ++now);
          await new Promise((resolve) => setTimeout(resolve, 1));
          now--;
        }),
      ]);
      const ids = [...(await queue.addMany(t, [{}, {}])), (await queue.add(t, {})).id];
      while ((await w.runOnce()) > 0);
      for (const id of ids) assert.equal((await job(id)).state, "done");
      assert.equal(most, 1);
    },
  },
  {
    name: "a rate holds back what is over it, and counts no attempt for that",
    async run({ worker, queue, clock, job }) {
      const t = type({ group: { rate: { limit: 2, windowMs: 10_000 } } });
      let ran = 0;
      const w = worker([handle(t, () => void ran++)]);
      const ids = await queue.addMany(t, [{}, {}, {}, {}, {}]);
      await w.runOnce();
      assert.equal(ran, 2);
      const states = await Promise.all(ids.map(async (id) => (await job(id)).state));
      assert.deepEqual(states.toSorted(), ["delayed", "delayed", "delayed", "done", "done"]);
      for (let i = 0; i < 30; i++) {
        clock.move(1_000);
        await w.runOnce();
      }
      assert.equal(ran, 5);
      assert.ok((await Promise.all(ids.map(job))).every(({ attempt, state }) => attempt === 1 && state === "done"));
    },
  },
  {
    name: "one that waits longer than its time to live is cancelled, and a retry is not",
    async run({ worker, queue, clock, job, events }) {
      const t = type({ ttlMs: 1_000, retry: { attempts: 2, baseMs: 60_000 } });
      const w = worker([
        handle(t, (_, { attempt }) => {
          if (attempt === 1) throw new Error("once");
        }),
      ]);
      const late = await queue.add(t, {}, { delayMs: 500 });
      const early = await queue.add(t, {});
      await w.runOnce();
      assert.equal((await job(early.id)).state, "retrying");
      clock.move(1_499);
      // Due since 999 ms; nobody took it.
      await w.beat();
      clock.move(1);
      assert.equal(await w.runOnce(), 0);
      const { state, error } = await job(late.id);
      assert.deepEqual([state, error?.code], ["cancelled", "expired"]);
      clock.move(60_000);
      assert.equal(await w.runOnce(), 1);
      assert.equal((await job(early.id)).state, "done");
      assert.equal(events.filter(({ kind }) => kind === "cancelled").length, 1);
    },
  },
  {
    name: "after its deadline a job does not start, is not tried again, and one that runs is aborted",
    async run({ worker, queue, clock, job }) {
      const t = type({ retry: { baseMs: 10_000 } });
      const aborted: unknown[] = [];
      const w = worker([
        handle(t, async ({ what }, { signal }) => {
          if (what === "fails") throw new Error("no");
          if (what !== "hangs") return;
          await new Promise<void>((resolve) =>
            signal.addEventListener("abort", () => {
              aborted.push(signal.reason);
              resolve();
            }),
          );
        }),
      ]);
      const late = await queue.add(t, {}, { deadlineAt: toInstant(clock.now() + 1_000) });
      clock.move(1_000);
      assert.equal(await w.runOnce(), 0);
      assert.deepEqual([(await job(late.id)).state, (await job(late.id)).error?.code], ["failed", "deadline"]);
      const fails = await queue.add(t, { what: "fails" }, { deadlineAt: toInstant(clock.now() + 5_000) });
      const hangs = await queue.add(t, { what: "hangs" }, { deadlineAt: toInstant(clock.now() + 30) });
      assert.equal(await w.runOnce(), 2);
      assert.deepEqual([(await job(fails.id)).state, (await job(fails.id)).attempt], ["failed", 1]);
      assert.deepEqual([(await job(hangs.id)).state, (await job(hangs.id)).error?.code], ["failed", "deadline"]);
      assert.ok(aborted[0] instanceof Error);
    },
  },
  {
    name: "a failed attempt is tried again after a growing pause, until the attempts are used up; then it is dead",
    async run({ worker, queue, clock, job, events }) {
      const t = type({ retry: { attempts: 3, baseMs: 1_000 } });
      const w = worker([
        handle(t, () => {
          throw new AppError("unavailable", { detail: "The provider is away." });
        }),
      ]);
      const { id } = await queue.add(t, {});
      assert.equal(await w.runOnce(), 1);
      const { state, runAt, error } = await job(id);
      assert.deepEqual([state, runAt], ["retrying", toInstant(clock.now() + 1_000)]);
      assert.deepEqual(error, { code: "unavailable", message: "The provider is away.", attempt: 1 });
      clock.move(1_000);
      assert.equal(await w.runOnce(), 1);
      assert.equal((await job(id)).runAt, toInstant(clock.now() + 2_000));
      clock.move(1_999);
      assert.equal(await w.runOnce(), 0);
      clock.move(1);
      assert.equal(await w.runOnce(), 1);
      const last = await job(id);
      assert.deepEqual([last.state, last.attempt, last.error?.attempt], ["failed", 3, 3]);
      clock.move(100_000_000);
      assert.equal(await w.runOnce(), 0);
      assert.deepEqual(kinds(events), [
        "started",
        "failed",
        "retried",
        "started",
        "failed",
        "retried",
        "started",
        "failed",
        "dead",
      ]);
    },
  },
  {
    name: "the pause is a random part of its bound, or what the type says, which may give up",
    async run({ worker, queue, clock, job }) {
      const random = type({ retry: { baseMs: 1_000 } });
      const own = type({ retry: { attempts: 9, delayMs: (attempt) => (attempt === 1 ? 77 : null) } });
      const fail = () => {
        throw new Error("no");
      };
      const w = worker([handle(random, fail), handle(own, fail)], { random: () => 0.25 });
      const [a, b] = [await queue.add(random, {}), await queue.add(own, {})];
      assert.equal(await w.runOnce(), 2);
      assert.equal((await job(a.id)).runAt, toInstant(clock.now() + 250));
      assert.equal((await job(b.id)).runAt, toInstant(clock.now() + 77));
      clock.move(77);
      assert.equal(await w.runOnce(), 1);
      assert.deepEqual([(await job(b.id)).state, (await job(b.id)).attempt], ["failed", 2]);
    },
  },
  {
    name: "an error that cannot be mended kills at once, and others go on beside a poison job",
    async run({ worker, queue, job }) {
      const t = type();
      const w = worker([
        handle(t, ({ n }) => {
          if (n === 0) throw new PermanentError("The address does not exist.");
          if (n === 1) throw Object.assign(new Error("foreign"), { retryable: false });
          if (n === 2) throw null;
        }),
      ]);
      const ids = await queue.addMany(t, [{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }]);
      await w.runOnce();
      const states = await Promise.all(ids.map(async (id) => (await job(id)).state));
      assert.deepEqual(states, ["failed", "failed", "retrying", "done"]);
    },
  },
  {
    name: "a handler that never ends meets its timeout, and its late answer changes nothing",
    async run({ worker, queue, job, clock }) {
      const t = type({ timeoutMs: 20, retry: { attempts: 2, baseMs: 1 }, result: z.object({}) as never });
      const late = gate();
      const ended = gate();
      let signal: AbortSignal | null = null;
      const w = worker([
        handle(t as never, async (_, ctx: JobContext) => {
          if (ctx.attempt === 2) return {};
          signal = ctx.signal;
          await late.opened;
          ended.open();
          return { late: true };
        }),
      ]);
      const { id } = await queue.add(t, {});
      await w.runOnce();
      const { state, error } = await job(id);
      assert.deepEqual([state, error?.code], ["retrying", "timeout"]);
      assert.equal((signal as AbortSignal | null)?.aborted, true);
      late.open();
      await ended.opened;
      clock.move(10);
      await w.runOnce();
      assert.deepEqual([(await job(id)).state, (await job(id)).result], ["done", {}]);
    },
  },
  {
    name: "waiting and running jobs can be cancelled; the handler of one that runs is told, and what it answers is rejected",
    async run({ db, worker, queue, job, now, by }) {
      const t = type();
      const inside = gate();
      const reasons: unknown[] = [];
      const w = worker([
        handle(t, async (_, { signal }) => {
          inside.open();
          await new Promise<void>((resolve) =>
            signal.addEventListener("abort", () => {
              reasons.push(signal.reason);
              resolve();
            }),
          );
        }),
      ]);
      const cancel = async (id: string | null) => {
        const [rows] = await db.atomic((tx) => [cancelJob(tx, db.dialect, id ?? "", now(), "Not wanted.")]);
        return rows.length;
      };
      const waiting = await queue.add(t, {}, { delayMs: 10 });
      assert.equal(await cancel(waiting.id), 1);
      assert.equal(await cancel(waiting.id), 0);
      const running = await queue.add(t, {}, { by: by() });
      const run = w.runOnce();
      await inside.opened;
      assert.equal(await cancel(running.id), 1);
      assert.equal(reasons.length, 0);
      await w.beat();
      await run;
      assert.ok(reasons[0] instanceof Error);
      const { state, error } = await job(running.id);
      assert.deepEqual([state, error], ["cancelled", { code: "cancelled", message: "Not wanted.", attempt: 1 }]);
    },
  },
  {
    name: "progress is kept while a job runs, the last value in any case",
    async run({ worker, queue, job, events }) {
      const t = type();
      const w = worker([
        handle(t, async (_, { progress }) => {
          progress({ percent: 50 });
          progress({ percent: 100 });
        }),
      ]);
      const { id } = await queue.add(t, {});
      await w.runOnce();
      assert.deepEqual([(await job(id)).progress, (await job(id)).state], [{ percent: 100 }, "done"]);
      assert.equal(events.filter(({ kind }) => kind === "progress").length, 2);
    },
  },
  {
    name: "a result that is not as declared, or cannot be stored, fails the job with the reason",
    async run({ worker, queue, job }) {
      const t = defineJob({
        name: newName(),
        input: anything,
        result: z.object({ text: z.string() }),
        retry: { attempts: 1 },
      });
      const w = worker([handle(t, ({ text }) => ({ text: text === 1 ? (7 as never) : "half \ud800 of a pair" }))]);
      const ids = await queue.addMany(t, [{ text: 1 }, { text: 2 }]);
      await w.runOnce();
      for (const id of ids)
        assert.deepEqual([(await job(id)).state, (await job(id)).error?.code], ["failed", "result"]);
    },
  },
  {
    name: "a zombie's answer is rejected: its job has been given to another, and has ended there",
    async run({ store, worker, queue, job, now, clock }) {
      const t = type({ retry: { attempts: 3 } });
      const { id } = await queue.add(t, {});
      const slot = { name: t.name, queue: t.queue, version: 1, free: 5, perGroup: null };
      await store.register({ id: `zombie-${id}`, names: [t.name], concurrency: 5, dispatch: "database", now: now() });
      const [claimed] = await store.claim([slot], { workerId: `zombie-${id}`, now: now(), total: 5 });
      assert.equal(claimed?.attempt, 1);
      clock.move(10_001);
      const w = worker([handle(t, () => {})]);
      await w.runOnce();
      assert.deepEqual([(await job(id)).state, (await job(id)).error?.code], ["retrying", "lost"]);
      assert.equal(await store.beat(`zombie-${id}`, now()), null);
      const answer = {
        id: id ?? "",
        attempt: 1,
        workerId: `zombie-${id}`,
        state: "done",
        result: '{"zombie":true}',
        error: null,
        runAt: null,
        purgeAt: null,
      } as const;
      assert.equal((await store.settle([answer], now())).size, 0);
      clock.move(60_000);
      assert.equal(await w.runOnce(), 1);
      assert.equal((await store.settle([answer], now())).size, 0);
      assert.deepEqual([(await job(id)).state, (await job(id)).result, (await job(id)).attempt], ["done", null, 2]);
    },
  },
  {
    name: "a worker that was found dead aborts what it runs, and goes on under a new lease",
    async run({ worker, queue, job, clock, now }) {
      const t = type({ retry: { attempts: 3 } });
      const inside = gate();
      let aborted = false;
      const handler = handle(t, async (_, { signal, attempt }) => {
        if (attempt > 1) return;
        inside.open();
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        aborted = true;
      });
      const slow = worker([handler]);
      const other = worker([handler]);
      const { id } = await queue.add(t, {});
      const run = slow.runOnce();
      await inside.opened;
      clock.move(10_001);
      await other.runOnce();
      assert.equal((await job(id)).state, "retrying");
      await slow.beat();
      await run;
      assert.equal(aborted, true);
      clock.move(60_000);
      await other.beat();
      assert.equal(await slow.runOnce(), 1);
      assert.deepEqual([(await job(id)).state, (await job(id)).finishedAt], ["done", now()]);
    },
  },
  {
    name: "a job that kills its worker each time dies when its attempts are used up",
    async run({ store, worker, queue, job, clock, now, events }) {
      const t = type({ retry: { attempts: 2 } });
      const { id } = await queue.add(t, {});
      const slot = { name: t.name, queue: t.queue, version: 1, free: 5, perGroup: null };
      const sweeper = worker([handle(type(), () => {})]);
      for (let attempt = 1; attempt <= 2; attempt++) {
        const workerId = `killed-${attempt}-${id}`;
        await store.register({ id: workerId, names: [t.name], concurrency: 5, dispatch: "database", now: now() });
        assert.equal((await store.claim([slot], { workerId, now: now(), total: 5 }))[0]?.attempt, attempt);
        clock.move(10_001);
        await sweeper.runOnce();
        clock.move(60_000);
        await sweeper.runOnce();
      }
      assert.deepEqual([(await job(id)).state, (await job(id)).error?.code], ["failed", "lost"]);
      assert.deepEqual(kinds(events.filter((event) => event.id === id)), ["failed", "retried", "failed", "dead"]);
    },
  },
  {
    name: "a claim whose answer was lost on the way is given back and runs",
    async run({ store, worker, queue, job }) {
      const t = type();
      const { id } = await queue.add(t, {});
      let lose = true;
      const lossy: JobStore = {
        ...store,
        async claim(slots, options) {
          const claimed = await store.claim(slots, options);
          if (lose && claimed.length > 0) {
            lose = false;
            throw new AppError("unavailable");
          }
          return claimed;
        },
      };
      const w = worker([handle(t, () => {})], { store: lossy });
      // Where a carrier brought the job, it is the carrier that is told.
      await w.runOnce().catch((error) => assert.equal(error.code, "unavailable"));
      assert.equal((await job(id)).state, "active");
      await w.beat();
      await w.beat();
      await w.settled();
      assert.deepEqual([(await job(id)).state, (await job(id)).attempt], ["waiting", 0]);
      assert.equal(await w.runOnce(), 1);
      assert.equal((await job(id)).state, "done");
    },
  },
  {
    name: "a carrier is given each due job once, the first of a type only, and again when it has kept one for long",
    async run({ db, store, queue, now, clock }) {
      const t = type({ queue: newName() });
      const options = () => ({ now: now(), before: toInstant(clock.now() - 1_000), limit: 2, window: 3 });
      const take = async () => (await store.takeUnsent([t, type()], options())).map(({ id }) => id);
      const ids: string[] = [];
      for (let n = 0; n < 4; n++) {
        ids.push((await queue.add(t, { n }, { priority: n === 3 ? 1 : 0 })).id ?? "");
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      await queue.add(t, {}, { delayMs: 1 });
      const [a = "", b = "", c = "", first = ""] = ids;
      assert.deepEqual(await take(), [a, first]);
      assert.deepEqual(await take(), [b]);
      assert.deepEqual(await take(), []);
      await store.unsend([b], null);
      await db.atomic((tx) => [pauseQueue(tx, t.queue, now(), now())]);
      assert.deepEqual(await take(), []);
      await db.atomic((tx) => [pauseQueue(tx, t.queue, now(), null)]);
      const [again] = await store.takeUnsent([t], options());
      assert.deepEqual(again, { id: b, name: t.name, queue: t.queue, priority: 0, attempt: 0 });
      const slot = { name: t.name, queue: t.queue, version: 1, free: 1, perGroup: null };
      assert.equal((await store.claim([slot], { workerId: "w", now: now(), total: 1, ids: [first] })).length, 1);
      assert.deepEqual(await take(), [c]);
      clock.move(1_001);
      assert.deepEqual([await take(), await take()], [[a, b], [c]]);
    },
  },
  {
    name: "a job that is claimed while its worker says that it is alive stays with it",
    async run({ store, worker, queue, job }) {
      const t = type();
      const inside = gate();
      const open = gate();
      const { id } = await queue.add(t, {});
      let during: () => Promise<void> = async () => {};
      const slow: JobStore = {
        ...store,
        async beat(...args) {
          const kept = await store.beat(...args);
          await during();
          return kept;
        },
      };
      const w = worker(
        [
          handle(t, async (_, { signal }) => {
            inside.open();
            await open.opened;
            assert.equal(signal.aborted, false);
          }),
        ],
        { store: slow },
      );
      await w.beat();
      during = async () => {
        during = async () => {};
        await w.start();
        await inside.opened;
      };
      await w.beat();
      open.open();
      await w.settled();
      assert.deepEqual([(await job(id)).state, (await job(id)).attempt], ["done", 1]);
    },
  },
  {
    name: "an outcome that the database refuses fails its job, and holds up no other",
    async run({ store, worker, queue, job }) {
      const t = defineJob({ name: newName(), input: anything, result: z.object({ n: z.number() }) });
      const picky: JobStore = {
        ...store,
        async settle(outcomes, now) {
          if (outcomes.some(({ result }) => result === '{"n":1}')) throw new Error("refused");
          return store.settle(outcomes, now);
        },
      };
      const w = worker([handle(t, ({ n }) => ({ n: Number(n) }))], { store: picky });
      const ids = await queue.addMany(t, [{ n: 0 }, { n: 1 }, { n: 2 }]);
      assert.equal(await w.runOnce(), 3);
      const ended = await Promise.all(ids.map(job));
      assert.deepEqual(
        ended.map(({ state, error }) => [state, error?.code]),
        [
          ["done", undefined],
          ["failed", "result"],
          ["done", undefined],
        ],
      );
    },
  },
  {
    name: "what a stopping worker holds runs elsewhere, without having used an attempt",
    async run({ worker, queue, job }) {
      const t = type();
      const inside = gate();
      const forever = handle(t, async () => {
        inside.open();
        await new Promise(() => {});
      });
      const { id } = await queue.add(t, {});
      const first = worker([forever]);
      void first.runOnce();
      await inside.opened;
      await first.stop(10);
      assert.deepEqual([(await job(id)).state, (await job(id)).attempt], ["waiting", 0]);
      assert.equal(await worker([handle(t, () => {})]).runOnce(), 1);
      assert.deepEqual([(await job(id)).state, (await job(id)).attempt], ["done", 1]);
    },
  },
  {
    name: "a name that no worker knows is kept waiting, and runs when one does",
    async run({ worker, queue, job, clock }) {
      const t = type();
      const { id } = await queue.add(t, {});
      clock.move(100_000_000);
      assert.equal(await worker([handle(type(), () => {})]).runOnce(), 0);
      assert.equal((await job(id)).state, "waiting");
      assert.equal(await worker([handle(t, () => {})]).runOnce(), 1);
    },
  },
  {
    name: "a payload that its type refuses is refused before anything is written, as is one over 1 MiB or of what cannot be stored",
    async run({ db, queue, by, job }) {
      const t = defineJob({ name: newName(), input: z.object({ text: z.string(), when: z.string().optional() }) });
      const refused = [
        [{ text: 7 }, /\/text/],
        [undefined, /not JSON/],
        [{ text: "x".repeat(MAX_PAYLOAD_BYTES) }, /larger than 1048576 bytes/],
        [{ text: "nul \0" }, /cannot be stored/],
        [{ text: "half \ud83d" }, /cannot be stored/],
        [{ text: "a", when: new Date(Number.NaN) }, /\/when/],
      ] as const;
      for (const [input, message] of refused) {
        await assert.rejects(
          queue.add(t, input as never),
          (error: Error) => error instanceof PayloadError && message.test(error.message),
        );
        const list = async () => db.atomic((tx) => [enqueue(tx, t, input as never, { by: by() })]);
        await assert.rejects(list, PayloadError);
      }
      const text = "\\u0000 is no escape, ü needs two bytes".padEnd(MAX_PAYLOAD_BYTES / 2, "ü");
      const fits = JSON.stringify({ text: "" }).length;
      const { id } = await queue.add(t, { text: "x".repeat(MAX_PAYLOAD_BYTES - fits) });
      assert.equal(((await job(id)).input as { text: string }).text.length, MAX_PAYLOAD_BYTES - fits);
      await assert.rejects(queue.add(t, { text: "x".repeat(MAX_PAYLOAD_BYTES - fits + 1) }), PayloadError);
      const other = await queue.add(t, { text: text.slice(0, 1_000) });
      assert.equal(((await job(other.id)).input as { text: string }).text, text.slice(0, 1_000));
    },
  },
  {
    name: "an input of an older version is migrated, dies with the reason when it cannot be, and a newer one waits for who knows it",
    async run({ queue, worker, job }) {
      const name = newName();
      const v1 = defineJob({ name, input: z.object({ to: z.string() }) });
      const v2 = defineJob({
        name,
        input: z.object({ recipients: z.array(z.string()).min(1) }),
        version: 2,
        migrate(input, from) {
          const { to } = input as { to: string };
          if (to === "") throw new Error(`there is no recipient in version ${from}`);
          return { recipients: to === "none" ? [] : [to] };
        },
      });
      const seen: unknown[] = [];
      const [good, bad, wrong] = await queue.addMany(v1, [{ to: "ada" }, { to: "" }, { to: "none" }]);
      const newer = await queue.add(v2, { recipients: ["bob"] });
      const old = worker([handle(v1, ({ to }) => void seen.push(to))]);
      const young = worker([handle(v2, ({ recipients }) => void seen.push(recipients))]);
      await young.runOnce();
      assert.deepEqual(seen.length, 2);
      assert.equal((await job(good ?? "")).state, "done");
      assert.equal((await job(newer.id)).state, "done");
      const reasons = [(await job(bad ?? "")).error, (await job(wrong ?? "")).error];
      assert.deepEqual(
        reasons.map((error) => error?.code),
        ["payload", "payload"],
      );
      assert.match(
        reasons[0]?.message ?? "",
        /version 1 could not be migrated to 2: there is no recipient in version 1/,
      );
      assert.match(reasons[1]?.message ?? "", /migrated from version 1.*\/recipients/);
      const next = await queue.add(v2, { recipients: ["cy"] });
      assert.equal(await old.runOnce(), 0);
      assert.equal((await job(next.id)).state, "waiting");
    },
  },
  {
    name: "a paused queue starts nothing until it is resumed, and draining cancels what waits in it",
    async run({ db, worker, queue, job, now, reads }) {
      const t = type({ queue: newName() });
      const grouped = type({ queue: t.queue, group: { concurrency: 1 } });
      const other = type();
      const w = worker([handle(t, () => {}), handle(grouped, () => {}), handle(other, () => {})]);
      await db.atomic((tx) => [pauseQueue(tx, t.queue, now(), now())]);
      const held = await queue.add(t, {});
      await queue.add(grouped, {});
      await queue.add(other, {});
      assert.equal(await w.runOnce(), 1);
      assert.ok((await reads.paused()).some(({ queue: name }) => name === t.queue));
      await db.atomic((tx) => [pauseQueue(tx, t.queue, now(), null)]);
      assert.equal(await w.runOnce(), 2);
      assert.equal((await job(held.id)).state, "done");
      const ids = [(await queue.add(t, {})).id, (await queue.add(t, {}, { delayMs: 5 })).id];
      const kept = await queue.add(other, {});
      const [drained] = await db.atomic((tx) => [drainQueue(tx, db.dialect, t.queue, now(), "Drained.")]);
      assert.deepEqual(drained.map(({ id }) => id).toSorted(), ids.toSorted());
      assert.equal(await w.runOnce(), 1);
      assert.equal((await job(kept.id)).state, "done");
    },
  },
  {
    name: "dead jobs can be run again, one or all of a type, with further attempts",
    async run({ db, worker, queue, job, now, reads }) {
      const t = type({ retry: { attempts: 1 } });
      let broken = true;
      const w = worker([
        handle(t, () => {
          if (broken) throw new Error("no");
        }),
      ]);
      const ids = await queue.addMany(t, [{}, {}]);
      await w.runOnce();
      assert.deepEqual((await reads.dead(t.name, 10)).toSorted(), ids.toSorted());
      broken = false;
      const [revived] = await db.atomic((tx) => [retryJobs(tx, db.dialect, ids, now(), 1)]);
      assert.equal(revived.length, 2);
      assert.equal(await w.runOnce(), 2);
      for (const id of ids) assert.deepEqual([(await job(id)).state, (await job(id)).attempt], ["done", 2]);
    },
  },
  {
    name: "ended jobs are deleted when their time is over, and by age; no other is",
    async run({ db, store, worker, queue, clock, now, reads }) {
      const t = type({ keepMs: 1_000, retry: { attempts: 1 } });
      const w = worker([
        handle(t, ({ fails }) => {
          if (fails) throw new Error("no");
        }),
      ]);
      const [done, failed] = await queue.addMany(t, [{}, { fails: true }]);
      const later = await queue.add(t, {}, { delayMs: 100_000_000 });
      await w.runOnce();
      const there = async () =>
        (await Promise.all([done, failed, later.id].map((id) => reads.find(id ?? "")))).map((job) => job !== null);
      clock.move(999);
      await store.purge(now(), 1_000);
      assert.deepEqual(await there(), [true, true, true]);
      clock.move(1);
      assert.ok((await store.purge(now(), 1_000)) >= 1);
      assert.deepEqual(await there(), [false, true, true]);
      clock.move(1);
      await db.atomic((tx) => [purgeJobs(tx, "failed", now(), 1_000)]);
      assert.deepEqual(await there(), [false, false, true]);
    },
  },
  {
    name: "one process runs no more of a type at once than it says, nor in all more than fit",
    async run({ worker, queue }) {
      const narrow = type({ concurrency: 2 });
      const wide = type();
      let now = 0;
      let most = 0;
      let narrowNow = 0;
      let narrowMost = 0;
      const work = async () => {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setTimeout(resolve, 10));
        now--;
      };
      const w = worker(
        [
          handle(narrow, async () => {
            narrowMost = Math.max(narrowMost, ++narrowNow);
            await work();
            narrowNow--;
          }),
          handle(wide, work),
        ],
        { concurrency: 5 },
      );
      await queue.addMany(
        narrow,
        Array.from({ length: 20 }, () => ({})),
      );
      await queue.addMany(
        wide,
        Array.from({ length: 40 }, () => ({})),
      );
      let total = 0;
      for (let n = await w.runOnce(); n > 0; n = await w.runOnce()) total += n;
      assert.deepEqual([total, most, narrowMost], [60, 5, 2]);
    },
  },
];
