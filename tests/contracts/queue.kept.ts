/** What stays of a job when it has ended, and that an outcome reaches the job that it names. */
import assert from "node:assert/strict";
import { z } from "zod";
import { toInstant } from "../../src/core/clock.ts";
import { defineJob, handle } from "../../src/ports/queue/define.ts";
import { anything, kinds, newName, type QueueCase, type } from "./queue.world.ts";

const DAY_MS = 24 * 3_600_000;

export const keptCases: QueueCase[] = [
  {
    name: "a type that keeps nothing leaves no job that is done, and tells of it as of others; failed ones stay",
    async run({ store, worker, queue, job, clock, now, events, reads }) {
      const t = defineJob({
        name: newName(),
        input: anything,
        result: z.object({ n: z.number() }),
        keepMs: 0,
        retry: { attempts: 2, delayMs: () => 1_000 },
      });
      const w = worker([
        handle(t, async ({ fails }, { attempt, progress }) => {
          progress(attempt);
          if (Number(fails) >= attempt) throw new Error("no");
          return { n: attempt };
        }),
      ]);
      const ids = await queue.addMany(t, [{}, { fails: 1 }, { fails: 2 }]);
      const scheduled = (await queue.add(t, {}, { scheduleName: t.name })).id ?? "";
      await w.runOnce();
      clock.move(1_000);
      await w.runOnce();
      assert.deepEqual([await reads.find(ids[0] ?? ""), await reads.find(ids[1] ?? "")], [null, null]);
      assert.equal((await job(ids[2] ?? "")).state, "failed");
      // Its end is still to be written down with the run of the schedule.
      assert.equal((await job(scheduled)).state, "done");
      const told = (id: string | undefined) =>
        kinds(events.filter((event) => event.id === id && event.kind !== "progress"));
      assert.deepEqual(told(ids[0]), ["started", "completed"]);
      assert.deepEqual(told(ids[1]), ["started", "failed", "retried", "started", "completed"]);
      clock.move(3_600_000);
      await store.purge(now(), 1_000);
      assert.equal(await reads.find(scheduled), null);
    },
  },
  {
    name: "one that waited for too long is kept for a day as other cancelled ones are, and one whose deadline passed for 30 as other dead ones",
    async run({ store, worker, queue, clock, now, reads }) {
      const t = type();
      const w = worker([handle(t, () => {})]);
      const expired = (await queue.add(t, {}, { delayMs: 5_000, ttlMs: 1_000 })).id ?? "";
      const late = (await queue.add(t, {}, { delayMs: 5_000, deadlineAt: toInstant(clock.now() + 1_000) })).id ?? "";
      clock.move(10_000);
      await w.runOnce();
      const there = async () => {
        // Other cases have left theirs.
        while ((await store.purge(now(), 1_000)) === 1_000);
        return [(await reads.find(expired))?.state, (await reads.find(late))?.state];
      };
      assert.deepEqual(await there(), ["cancelled", "failed"]);
      clock.move(DAY_MS);
      assert.deepEqual(await there(), [undefined, "failed"]);
      clock.move(29 * DAY_MS);
      assert.deepEqual(await there(), [undefined, undefined]);
    },
  },
  {
    name: "one of which nothing is kept is settled again where the answer was lost, and not where it was taken away",
    async run({ store, worker, queue, job, now }) {
      const t = type({ keepMs: 0 });
      const slot = { name: t.name, queue: t.queue, version: 1, free: 5, perGroup: null };
      const ids = await queue.addMany(t, [{}, {}, {}]);
      const workerId = `brief-${ids[0]}`;
      await store.register({ id: workerId, names: [t.name], concurrency: 5, dispatch: "database", now: now() });
      const claimed = await store.claim([slot], { workerId, now: now(), total: 2 });
      const common = { workerId, state: "done", result: null, error: null, runAt: null, purgeAt: now() } as const;
      const outcomes = claimed.map(({ id, attempt, place }) => ({ id, attempt, place, drop: true, ...common }));
      const taken = { ...common, id: ids[2] ?? "", attempt: 1, place: claimed[0]?.place ?? null, drop: true };
      assert.deepEqual([...(await store.settle([...outcomes, taken], now()))].sort(), ids.slice(0, 2));
      assert.equal((await store.settle(outcomes, now())).size, 0);
      assert.deepEqual([...(await store.settle([...outcomes, taken], now(), true))].sort(), ids.slice(0, 2));
      assert.equal((await job(ids[2] ?? "")).state, "waiting");
      await worker([handle(t, () => {})]).runOnce();
    },
  },
  {
    name: "an outcome belongs to the job that it names, wherever rows have come to lie meanwhile",
    async run({ store, queue, job, now }) {
      const t = type();
      const slot = { name: t.name, queue: t.queue, version: 1, free: 5, perGroup: null };
      const ids = await queue.addMany(t, [{}, {}, {}, {}]);
      const workerId = `moved-${ids[0]}`;
      await store.register({ id: workerId, names: [t.name], concurrency: 5, dispatch: "database", now: now() });
      const claimed = await store.claim([slot], { workerId, now: now(), total: 4 });
      // One has moved; two are said to lie where the other does.
      await store.progress(workerId, [{ id: claimed[3]?.id ?? "", attempt: 1, value: 1 }]);
      const common = { workerId, state: "done", error: null, runAt: null, purgeAt: now() } as const;
      const settled = await store.settle(
        claimed.map(({ id, attempt, place }, i) => ({
          id,
          attempt,
          place: (i < 2 ? claimed[1 - i]?.place : place) ?? null,
          result: JSON.stringify({ id }),
          ...common,
        })),
        now(),
      );
      assert.deepEqual([...settled].sort(), ids);
      for (const id of ids) assert.deepEqual([(await job(id)).state, (await job(id)).result], ["done", { id }]);
    },
  },
];
