/** Of one key how many jobs there are, and of a group, a type and a process how many run at once. */
import assert from "node:assert/strict";
import { toInstant } from "../../src/core/clock.ts";
import { handle } from "../../src/ports/queue/define.ts";
import { gate, type QueueCase, type } from "./queue.world.ts";

/** A handler that takes so long, and how many of it ran at once at most. */
function crowdOf(ms: number) {
  let now = 0;
  const crowd = {
    most: 0,
    async run() {
      crowd.most = Math.max(crowd.most, ++now);
      await new Promise((resolve) => setTimeout(resolve, ms));
      now--;
    },
  };
  return crowd;
}

export const groupCases: QueueCase[] = [
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
      const crowd = crowdOf(1);
      const w = worker([handle(t, crowd.run)]);
      const ids = [...(await queue.addMany(t, [{}, {}])), (await queue.add(t, {})).id];
      while ((await w.runOnce()) > 0);
      for (const id of ids) assert.equal((await job(id)).state, "done");
      assert.equal(crowd.most, 1);
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
      const done = (await Promise.all(ids.map(job))).filter(({ state }) => state === "done");
      assert.equal(done.length, 2);
      for (let i = 0; i < 30; i++) {
        clock.move(1_000);
        await w.runOnce();
      }
      assert.equal(ran, 5);
      assert.ok((await Promise.all(ids.map(job))).every(({ attempt, state }) => attempt === 1 && state === "done"));
    },
  },
  {
    name: "a rate claims few more than may run, and ends what has waited too long for it",
    async run({ worker, queue, clock, store, job }) {
      const t = type({ group: { key: ({ g }) => String(g), rate: { limit: 2, windowMs: 10_000 } }, ttlMs: 30_000 });
      const ran: unknown[] = [];
      let claimed = 0;
      const counted = {
        ...store,
        async claim(...args: Parameters<typeof store.claim>) {
          const jobs = await store.claim(...args);
          claimed += jobs.length;
          return jobs;
        },
      };
      const w = worker([handle(t, ({ g }) => void ran.push(g))], { store: counted });
      const ids = await queue.addMany(
        t,
        Array.from({ length: 60 }, () => ({ g: "busy" })),
      );
      await queue.add(t, { g: "other" });
      for (let i = 0; i < 80; i++) {
        await w.runOnce();
        if (i % 2 === 1) clock.move(1_000);
      }
      assert.ok(ran.includes("other"));
      // Two at once and one each five seconds, for thirty.
      const busy = ran.filter((g) => g === "busy").length;
      assert.ok(busy >= 6 && busy <= 8, `${busy} ran`);
      assert.ok(claimed <= 30, `${claimed} were claimed`);
      const left = await Promise.all(ids.map(job));
      assert.equal(left.filter(({ state }) => state === "cancelled").length, 60 - busy);
    },
  },
  {
    name: "of very many groups as many are taken as fit, others than those at the head among them, and each has its turn",
    async run({ worker, queue }) {
      const t = type({ group: { key: ({ g }) => String(g), concurrency: 1 } });
      const open = gate();
      const ran: unknown[] = [];
      const handler = handle(t, async ({ g }) => {
        ran.push(g);
        await open.opened;
      });
      await queue.addMany(
        t,
        Array.from({ length: 400 }, () => ({ g: "head" })),
      );
      await queue.addMany(
        t,
        Array.from({ length: 3_000 }, (_, i) => ({ g: i % 1_500 })),
      );
      const first = worker([handler]);
      const running = first.runOnce();
      while (ran.length < 10) await new Promise((resolve) => setTimeout(resolve, 1));
      assert.equal(new Set(ran).size, 10);
      const second = worker([handler]);
      const others = second.runOnce();
      while (ran.length < 20) await new Promise((resolve) => setTimeout(resolve, 1));
      assert.equal(new Set(ran).size, 20);
      assert.deepEqual(
        ran.filter((g) => g === "head"),
        ["head"],
      );
      open.open();
      await Promise.all([running, others]);
      const before = new Set(ran);
      await first.runOnce();
      const again = ran.slice(20).filter((g) => before.has(g) && g !== "head");
      assert.deepEqual(again, []);
    },
  },
  {
    name: "a type that is given groups takes those along that waited before, as one group",
    async run({ worker, queue, job }) {
      const before = type();
      const ids = await queue.addMany(before, [{}, {}, {}]);
      const t = type({ name: before.name, group: { key: ({ g }) => String(g), concurrency: 1 } });
      await queue.add(t, { g: 1 });
      const crowd = crowdOf(5);
      const w = worker([handle(t, crowd.run)]);
      while ((await w.runOnce()) > 0);
      for (const id of ids) assert.equal((await job(id)).state, "done");
      assert.equal(crowd.most, 2);
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
      // The first ones wait for each other, or a slow machine would end some before the others begin.
      const full = gate();
      const work = async () => {
        most = Math.max(most, ++now);
        if (now === 5 && narrowNow === 2) full.open();
        await full.opened;
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
