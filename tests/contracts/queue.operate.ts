/** What an operator does with jobs and queues. */
import assert from "node:assert/strict";
import { toInstant } from "../../src/core/clock.ts";
import { handle } from "../../src/ports/queue/define.ts";
import { cancelJob, drainQueue, pauseQueue, purgeJobs, retryJobs } from "../../src/ports/queue/operate.ts";
import { gate, newName, type QueueCase, type } from "./queue.world.ts";

export const operateCases: QueueCase[] = [
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
      const [drained] = await db.atomic((tx) => [drainQueue(tx, db.dialect, t.queue, now(), "Drained.", 10)]);
      assert.deepEqual(drained.map(({ id }) => id).toSorted(), ids.toSorted());
      assert.equal(await w.runOnce(), 1);
      assert.equal((await job(kept.id)).state, "done");
    },
  },
  {
    name: "a queue is drained by so many at a time, those that are not due after those that are, until there is no more",
    async run({ db, queue, job, now }) {
      const t = type({ queue: newName() });
      const waiting = await queue.addMany(t, [{}, {}, {}, {}]);
      const delayed = await queue.addMany(t, [{}, {}, {}], { delayMs: 1_000 });
      const drained: string[][] = [];
      for (let size = 3; size === 3; size = drained.at(-1)?.length ?? 0) {
        const [ended] = await db.atomic((tx) => [drainQueue(tx, db.dialect, t.queue, now(), "Drained.", 3)]);
        drained.push(ended.map(({ id }) => id));
      }
      assert.deepEqual(
        drained.map(({ length }) => length),
        [3, 3, 1],
      );
      assert.ok(drained[0]?.every((id) => waiting.includes(id)));
      assert.ok(waiting.every((id) => drained.slice(0, 2).flat().includes(id)));
      for (const id of [...waiting, ...delayed]) assert.equal((await job(id)).state, "cancelled");
    },
  },
  {
    name: "dead jobs can be run again, one or all of a type, with further attempts",
    async run({ db, worker, queue, job, clock, now, reads }) {
      const t = type({ retry: { attempts: 1 } });
      let broken = true;
      const w = worker([
        handle(t, () => {
          if (broken) throw new Error("no");
        }),
      ]);
      const ids = await queue.addMany(t, [{}, {}]);
      await w.runOnce();
      assert.deepEqual((await reads.dead(t.name, now(), 10)).toSorted(), ids.toSorted());
      assert.deepEqual(await reads.dead(t.name, toInstant(clock.now() - 1), 10), []);
      broken = false;
      const [revived] = await db.atomic((tx) => [retryJobs(tx, db.dialect, ids, now(), 1)]);
      assert.equal(revived.length, 2);
      assert.equal(await w.runOnce(), 2);
      for (const id of ids) assert.deepEqual([(await job(id)).state, (await job(id)).attempt], ["done", 2]);
    },
  },
  {
    name: "unique jobs that died run again beside each other and beside the one that has their key by then",
    async run({ db, worker, queue, job, now }) {
      const t = type({ retry: { attempts: 1 }, unique: { key: () => "one", mode: "skip" } });
      const w = worker([
        handle(t, ({ fails }) => {
          if (fails) throw new Error("no");
        }),
      ]);
      const ids: (string | null)[] = [];
      for (const input of [{ fails: true }, { fails: true }]) {
        ids.push((await queue.add(t, input)).id);
        await w.runOnce();
      }
      const held = await queue.add(t, {});
      const [revived] = await db.atomic((tx) => [retryJobs(tx, db.dialect, ids as string[], now(), 1)]);
      assert.equal(revived.length, 2);
      for (const id of ids) assert.deepEqual([(await job(id)).state, (await job(id)).uniqueKey], ["waiting", null]);
      assert.equal((await queue.add(t, {})).created, false);
      assert.equal((await job(held.id)).uniqueKey, "one");
      await w.runOnce();
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
];
