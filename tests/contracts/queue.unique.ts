/** What comes of two jobs with one key. */
import assert from "node:assert/strict";
import { addMs, toInstant } from "../../src/core/clock.ts";
import { handle } from "../../src/ports/queue/define.ts";
import { drainQueue } from "../../src/ports/queue/operate.ts";
import type { EnqueueOptions } from "../../src/ports/queue/port.ts";
import { newName, type QueueCase, type QueueWorld, type } from "./queue.world.ts";

/** Other cases count what expires. */
const drain = async ({ db, now }: QueueWorld, queue: string) => {
  await db.atomic((tx) => [drainQueue(tx, db.dialect, queue, now(), "The case is over.", 100)]);
};

export const uniqueCases: QueueCase[] = [
  {
    name: "unique, replace: the time to live counts from the time that is kept, and from now where that has passed",
    async run(world) {
      const { queue, job, clock } = world;
      const t = type({ ttlMs: 50, queue: newName() });
      const unique = { key: "k", mode: "replace" } as const;
      const at = (ms: number) => toInstant(clock.now() + ms);
      const added = async (options: EnqueueOptions) => {
        const { id } = await queue.add(t, {}, { unique, ...options });
        const { runAt, expiresAt } = await job(id);
        return { runAt, expiresAt };
      };
      const due = at(3_600_000);
      const late = at(3_600_050);
      assert.deepEqual(await added({ delayMs: 3_600_000 }), { runAt: due, expiresAt: late });
      assert.deepEqual(await added({}), { runAt: due, expiresAt: late });
      assert.deepEqual(await added({ ttlMs: 90_001 }), { runAt: due, expiresAt: at(3_690_001) });
      assert.deepEqual(await added({ ttlMs: 5_000_000_000_000 }), { runAt: due, expiresAt: at(5_000_003_600_000) });
      assert.deepEqual(await added({ deadlineAt: at(3_600_070) }), { runAt: due, expiresAt: late });
      assert.deepEqual(await added({ deadlineAt: at(3_600_007) }), { runAt: due, expiresAt: at(3_600_007) });
      clock.move(3_600_040);
      assert.deepEqual(await added({ delayMs: 9_000 }), { runAt: due, expiresAt: at(50) });
      const always = type({ queue: t.queue });
      const { id } = await queue.add(always, {}, { unique, ttlMs: 10 });
      await queue.add(always, {}, { unique });
      assert.equal((await job(id)).expiresAt, null);
      await queue.add(always, {}, { unique, deadlineAt: at(7) });
      assert.equal((await job(id)).expiresAt, at(7));
      await drain(world, t.queue);
    },
  },
  {
    name: "unique: whoever replaces a job says all of it but its id and its time, and who replaces one of skip lets the next one in",
    async run({ queue, worker, job, by, now }) {
      const name = newName();
      const group = { key: ({ g }: { g?: unknown }) => String(g), concurrency: 1 };
      const older = type({ name, queue: newName(), group });
      const newer = type({
        name,
        queue: newName(),
        group,
        retry: { attempts: 9 },
        version: 2,
        migrate: (x) => x,
      });
      for (const mode of ["replace", "debounce"] as const) {
        const unique = { key: mode, mode };
        const { id } = await queue.add(older, { g: "A" }, { unique: { ...unique, mode: "skip" }, scheduleName: "s" });
        const { createdAt } = await job(id);
        assert.deepEqual(await queue.add(newer, { g: "B" }, { unique, by: by() }), { id, created: false });
        const taken = await job(id);
        assert.deepEqual(
          [taken.queue, taken.groupKey, taken.maxAttempts, taken.inputVersion, taken.input, taken.requestId],
          [newer.queue, "B", 9, 2, { g: "B" }, "r1"],
        );
        // The run of the schedule is still to be told of its end.
        assert.deepEqual([taken.createdAt, taken.runAt, taken.scheduleName], [createdAt, now(), "s"]);
        await queue.add(newer, { g: "B" }, { unique, scheduleName: "other" });
        assert.equal((await job(id)).scheduleName, "other");
        let next = "";
        const w = worker([
          handle(newer, async () => {
            if (next !== "") return;
            const made = await queue.add(newer, { g: "C" }, { unique });
            assert.equal(made.created, true);
            next = made.id ?? "";
          }),
        ]);
        await w.runOnce();
        assert.equal((await job(id)).state, "done");
        await w.runOnce();
        assert.equal((await job(next)).state, "done");
      }
    },
  },
  {
    name: "unique, debounce: what a carrier had before it was put off is given to it again",
    async run({ store, queue, now }) {
      const t = type({ unique: { key: () => "k", mode: "debounce" } });
      const given = async () => {
        const options = { now: now(), before: addMs(now(), -60_000), limit: 10, window: 10 };
        return (await store.takeUnsent([t], options)).map(({ id }) => id);
      };
      const { id } = await queue.add(t, {});
      assert.deepEqual([await given(), await given()], [[id], []]);
      await queue.add(t, {}, { delayMs: 1_000 });
      assert.deepEqual(await given(), []);
      await queue.add(t, {});
      assert.deepEqual(await given(), [id]);
    },
  },
  {
    name: "unique, skip: one that has expired makes room, and none that runs or may still run does",
    async run(world) {
      const { queue, worker, job, clock, now, by } = world;
      const t = type({ queue: newName(), retry: { attempts: 3, baseMs: 60_000 } });
      const skip = (key: string) => ({ unique: { key, mode: "skip" } as const, by: by() });
      const at = (ms: number) => toInstant(clock.now() + ms);
      const fails = await queue.add(t, { fails: true }, { ...skip("fails"), deadlineAt: at(100_000) });
      const runs = await queue.add(t, {}, { ...skip("runs"), ttlMs: 100, deadlineAt: at(100_000) });
      const w = worker([
        handle(t, async ({ fails }) => {
          if (fails) throw new Error("no");
          assert.deepEqual(await queue.add(t, {}, skip("runs")), { id: null, created: false });
        }),
      ]);
      const late = await queue.add(t, { n: 1 }, { ...skip("late"), delayMs: 10, ttlMs: 100, priority: 7 });
      await w.runOnce();
      assert.equal((await job(runs.id)).state, "done");
      assert.equal((await job(fails.id)).state, "retrying");
      clock.move(99_999);
      assert.equal((await queue.add(t, {}, skip("fails"))).created, false);
      clock.move(1);
      const [next, again] = [await queue.add(t, { n: 2 }, skip("late")), await queue.add(t, { n: 3 }, skip("late"))];
      assert.deepEqual([next.created, next.id !== late.id, again], [true, true, { id: null, created: false }]);
      const { state, input, priority, runAt, expiresAt, createdAt } = await job(next.id);
      assert.deepEqual(
        { state, input, priority, runAt, expiresAt, createdAt },
        { state: "waiting", input: { n: 2 }, priority: 0, runAt: now(), expiresAt: null, createdAt: now() },
      );
      const other = await job((await queue.add(t, {}, skip("fails"))).id);
      assert.deepEqual([other.attempt, other.maxAttempts, other.error, other.startedAt], [0, 3, null, null]);
      await drain(world, t.queue);
    },
  },
];
