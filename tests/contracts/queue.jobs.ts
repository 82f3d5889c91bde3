/** What a job takes with it from where it is enqueued to where it runs, and in which order jobs do. */
import assert from "node:assert/strict";
import { sql } from "drizzle-orm";
import { z } from "zod";
import { toInstant } from "../../src/core/clock.ts";
import type { AppError } from "../../src/core/error.ts";
import { newId } from "../../src/core/id.ts";
import { must } from "../../src/ports/db/port.ts";
import { defineJob, handle, type JobContext, PayloadError } from "../../src/ports/queue/define.ts";
import { enqueue } from "../../src/ports/queue/enqueue.ts";
import { MAX_DEPTH, MAX_PAYLOAD_BYTES } from "../../src/ports/queue/payload.ts";
import { kinds, newName, type QueueCase, type } from "./queue.world.ts";

/** So many levels. */
function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { "a\\": value };
  return value;
}

const cycle: Record<string, unknown> = {};
cycle.self = cycle;

export const jobCases: QueueCase[] = [
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
    name: "what a handler enqueues is delayed, and lives, from when it enqueues it",
    async run({ worker, queue, clock, job }) {
      const first = type();
      const next = type({ ttlMs: 1_000 });
      const ids: (string | null)[] = [];
      const w = worker([
        handle(first, async (_, ctx) => {
          clock.move(3_000);
          ids.push((await queue.add(next, {}, { by: ctx })).id);
          ids.push((await queue.add(next, {}, { by: ctx, delayMs: 1_500 })).id);
        }),
        handle(next, () => {}),
      ]);
      await queue.add(first, {});
      assert.equal(await w.runOnce(), 1);
      clock.move(500);
      assert.equal(await w.runOnce(), 1);
      const [soon, later] = await Promise.all(ids.map(job));
      assert.deepEqual([soon?.state, later?.state], ["done", "delayed"]);
      assert.equal(later?.runAt, toInstant(clock.now() + 1_000));
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
        [{ text: "a", when: 1n }, /JSON cannot express/],
        [{ text: "a", when: cycle }, /JSON cannot express/],
        [{ text: "a", when: nested(MAX_DEPTH) }, /nested deeper than 100 levels/],
        [{ text: "a", when: nested(3_000) }, /nested deeper/],
        [{ text: "a", when: nested(20_000) }, /nested deeper/],
      ] as const;
      for (const [input, message] of refused) {
        await assert.rejects(
          queue.add(t, input as never),
          (error: Error) => error instanceof PayloadError && message.test(error.message),
        );
        const list = async () => db.atomic((tx) => [enqueue(tx, t, input as never, { by: by() })]);
        await assert.rejects(list, PayloadError);
        await assert.rejects(queue.addMany(t, [{ text: "a" }, input as never]), PayloadError);
      }
      const text = "\\u0000 is no escape, ü needs two bytes".padEnd(MAX_PAYLOAD_BYTES / 2, "ü");
      const fits = JSON.stringify({ text: "" }).length;
      const { id } = await queue.add(t, { text: "x".repeat(MAX_PAYLOAD_BYTES - fits) });
      assert.equal(((await job(id)).input as { text: string }).text.length, MAX_PAYLOAD_BYTES - fits);
      await assert.rejects(queue.add(t, { text: "x".repeat(MAX_PAYLOAD_BYTES - fits + 1) }), PayloadError);
      const other = await queue.add(t, { text: text.slice(0, 1_000) });
      assert.equal(((await job(other.id)).input as { text: string }).text, text.slice(0, 1_000));
      // Brackets that stand in a text are no levels.
      const brackets = { deep: nested(MAX_DEPTH - 1), [`a"${"[".repeat(200)}\\`]: `\\"${"{".repeat(200)}\\` };
      assert.deepEqual((await job((await queue.add(type(), brackets)).id)).input, brackets);
      const [many] = await queue.addMany(type(), [brackets]);
      assert.deepEqual((await job(many ?? "")).input, brackets);
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
];
