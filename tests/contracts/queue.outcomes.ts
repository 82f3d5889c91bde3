/** How an attempt ends, and what follows from it. */
import assert from "node:assert/strict";
import { z } from "zod";
import { toInstant } from "../../src/core/clock.ts";
import { AppError } from "../../src/core/error.ts";
import { defineJob, handle, type JobContext, PermanentError } from "../../src/ports/queue/define.ts";
import type { JobStore } from "../../src/ports/queue/store.ts";
import { anything, gate, kinds, newName, type QueueCase, type } from "./queue.world.ts";

export const outcomeCases: QueueCase[] = [
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
    name: "one look ends more of those that waited too long than one statement takes",
    async run({ worker, queue, clock, events }) {
      const t = type({ ttlMs: 1 });
      await queue.addMany(t, Array(2_001).fill({}));
      clock.move(1);
      assert.equal(await worker([handle(t, () => {})]).runOnce(), 0);
      assert.equal(events.filter(({ kind, name }) => kind === "cancelled" && name === t.name).length, 2_001);
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
    name: "a job that was claimed before its deadline, and would begin after it, does not",
    async run({ store, worker, queue, clock, job, events }) {
      const t = type();
      const slow: JobStore = {
        ...store,
        async claim(...args) {
          const claimed = await store.claim(...args);
          if (claimed.length > 0) clock.move(1_000);
          return claimed;
        },
      };
      let ran = 0;
      const w = worker([handle(t, () => void ran++)], { store: slow });
      const late = await queue.add(t, {}, { deadlineAt: toInstant(clock.now() + 1_000) });
      const early = await queue.add(t, {}, { deadlineAt: toInstant(clock.now() + 10_000) });
      await w.runOnce();
      await w.runOnce();
      const { state, error, attempt } = await job(late.id);
      assert.deepEqual([state, error?.code, attempt], ["failed", "deadline", 0]);
      assert.deepEqual([(await job(early.id)).state, ran], ["done", 1]);
      assert.deepEqual(kinds(events.filter(({ id }) => id === late.id)), ["dead"]);
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
    name: "progress whose write failed is written again, and what the database refuses of it holds up no end",
    async run({ store, worker, queue, job }) {
      const t = type();
      const faults = [new AppError("unavailable")];
      const flaky: JobStore = { ...store, progress: after(faults, store.progress) };
      const w = worker([handle(t, async ({ n }, { progress }) => progress(n))], { store: flaky });
      const first = await queue.add(t, { n: 1 });
      await w.runOnce();
      assert.deepEqual([(await job(first.id)).progress, (await job(first.id)).state], [1, "done"]);
      faults.push(...Array.from({ length: 5 }, () => new Error("refused") as AppError));
      const second = await queue.add(t, { n: 2 });
      await w.runOnce();
      assert.deepEqual([(await job(second.id)).progress, (await job(second.id)).state], [null, "done"]);
      assert.equal(faults.length, 4);
    },
  },
  {
    name: "progress that is not JSON is left out, and no fault of its job",
    async run({ worker, queue, job, events }) {
      const t = type({ retry: { attempts: 1 } });
      const round: Record<string, unknown> = {};
      round.again = round;
      const w = worker([
        handle(t, (_, { progress }) => {
          for (const value of [{ percent: 1 }, 1n, round, () => {}, undefined, "half \ud800"]) progress(value);
        }),
      ]);
      const { id } = await queue.add(t, {});
      await w.runOnce();
      assert.deepEqual([(await job(id)).progress, (await job(id)).state], [{ percent: 1 }, "done"]);
      assert.deepEqual(kinds(events), ["started", "progress", "completed"]);
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
    name: "an outcome whose write is the victim of a deadlock is recorded as it was",
    async run({ store, worker, queue, job }) {
      const t = defineJob({ name: newName(), input: anything, result: z.object({ n: z.number() }) });
      const faults = [new AppError("conflict")];
      const unlucky: JobStore = { ...store, settle: after(faults, store.settle) };
      const w = worker([handle(t, () => ({ n: 1 }))], { store: unlucky });
      const { id } = await queue.add(t, {});
      await w.runOnce();
      const { state, result, error } = await job(id);
      assert.deepEqual({ state, result, error }, { state: "done", result: { n: 1 }, error: null });
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
];

/** The work, which fails with each of these errors first. */
const after =
  <A extends unknown[], R>(faults: Error[], work: (...args: A) => Promise<R>) =>
  async (...args: A): Promise<R> => {
    const fault = faults.shift();
    if (fault) throw fault;
    return work(...args);
  };
