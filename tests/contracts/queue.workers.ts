/** What workers and carriers owe each other: each job is taken once, whoever of them is lost on the way. */
import assert from "node:assert/strict";
import { toInstant } from "../../src/core/clock.ts";
import { AppError } from "../../src/core/error.ts";
import { handle } from "../../src/ports/queue/define.ts";
import { pauseQueue } from "../../src/ports/queue/operate.ts";
import type { JobStore } from "../../src/ports/queue/store.ts";
import { gate, kinds, newName, type QueueCase, type } from "./queue.world.ts";

export const workerCases: QueueCase[] = [
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
];
