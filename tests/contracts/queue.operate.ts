/** What an operator does with jobs and queues. */
import assert from "node:assert/strict";
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
];
