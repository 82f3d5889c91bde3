/** What can be said of a job, and what is refused before anything is written: the same on every engine, and however it is enqueued. */
import assert from "node:assert/strict";
import { toInstant } from "../../src/core/clock.ts";
import { PayloadError } from "../../src/ports/queue/define.ts";
import { enqueue } from "../../src/ports/queue/enqueue.ts";
import { drainQueue } from "../../src/ports/queue/operate.ts";
import type { EnqueueOptions } from "../../src/ports/queue/port.ts";
import { newName, type QueueCase, type } from "./queue.world.ts";

const LATEST = 2_147_483_647;
const wide = "ü".repeat(1_000);
const unique = (key: unknown) => ({ unique: { key: key as string, mode: "skip" as const } });

const badNumbers: [EnqueueOptions, RegExp][] = [
  ...[Number.NaN, Number.POSITIVE_INFINITY, 1.5, 3e9, LATEST + 1, -LATEST - 1].map(
    (priority): [EnqueueOptions, RegExp] => [{ priority }, /The priority of .* no whole number from -2147483647/],
  ),
  ...[Number.NaN, Number.POSITIVE_INFINITY, 1e15, 8.6e15].map((delayMs): [EnqueueOptions, RegExp] => [
    { delayMs },
    /The delayMs of .* year 1 to 9999/,
  ]),
  ...[Number.NaN, Number.POSITIVE_INFINITY, 1e15, Number.MIN_SAFE_INTEGER].map((ttlMs): [EnqueueOptions, RegExp] => [
    { ttlMs },
    /The ttlMs of .* year 1 to 9999/,
  ]),
];
const badTexts: [EnqueueOptions, RegExp][] = [
  ...[
    "tomorrow",
    "",
    "2027",
    "2027-01-01T00:00:00",
    "2027-13-01",
    "9999-12-31T23:59:59-05:00",
    "0000-01-01T00:00:00Z",
    "+010000-01-01T00:00:00.000Z",
    toInstant(8.64e15),
  ].flatMap((at): [EnqueueOptions, RegExp][] => [
    [{ deadlineAt: at }, /The deadlineAt of .* is no instant/],
    [{ runAt: at }, /The runAt of .* is no instant/],
  ]),
  [unique(`${wide}x`), /The unique key of .* larger than 2000 bytes/],
  [unique("a\0"), /The unique key of .* cannot be stored/],
  [unique("a\ud800"), /The unique key of .* cannot be stored/],
  [unique(7), /The unique key of .* is no text/],
  [{ group: `${wide}x` }, /The group of .* larger than 2000 bytes/],
  [{ group: "a\0" }, /The group of .* cannot be stored/],
  [{ group: "\udc00a" }, /The group of .* cannot be stored/],
];

export const boundCases: QueueCase[] = [
  {
    name: "what cannot be kept of what is said of a job is refused, alike by one, by many and in a list",
    async run({ db, queue, by, reads }) {
      const t = type({ group: { concurrency: 1 } });
      const refused = async (options: EnqueueOptions, kind: new (message: string) => Error, message: RegExp) => {
        const isIt = (error: Error) => error.constructor === kind && message.test(error.message);
        await assert.rejects(queue.add(t, {}, options), isIt);
        await assert.rejects(async () => db.atomic((tx) => [enqueue(tx, t, {}, { by: by(), ...options })]), isIt);
        if (!options.unique) await assert.rejects(queue.addMany(t, [{}], options), isIt);
      };
      for (const [options, message] of badNumbers) await refused(options, RangeError, message);
      for (const [options, message] of badTexts) await refused(options, PayloadError, message);
      const byInput = type({ unique: { key: () => "a\0", mode: "skip" } });
      await assert.rejects(queue.add(byInput, {}), PayloadError);
      const groupByInput = type({ group: { key: () => "a\0" } });
      await assert.rejects(queue.addMany(groupByInput, [{}]), PayloadError);
      const left = (await reads.counts()).filter(({ name }) =>
        [t.name, byInput.name, groupByInput.name].includes(name),
      );
      assert.deepEqual(left, []);
    },
  },
  {
    name: "what is at the bounds is kept as it was said, and instants in the one form that they have",
    async run({ db, queue, job, now }) {
      const t = type({ group: { concurrency: 1 }, queue: newName() });
      const at = "2127-01-01T00:00:00.000Z";
      for (const deadlineAt of ["2127-01-01", "2127-01-01T02:00:00+02:00", "2126-12-31T19:00-05:00", at]) {
        const { id } = await queue.add(t, {}, { deadlineAt, runAt: deadlineAt });
        const [many] = await queue.addMany(t, [{}], { deadlineAt, runAt: deadlineAt });
        for (const one of [await job(id), await job(many ?? "")])
          assert.deepEqual([one.deadlineAt, one.runAt, one.expiresAt, one.state], [at, at, at, "delayed"]);
      }
      for (const priority of [LATEST, -LATEST]) {
        const { id } = await queue.add(t, {}, { priority, ...unique(wide), group: wide });
        const [many] = await queue.addMany(t, [{}], { priority, group: wide });
        assert.deepEqual([(await job(id)).uniqueKey, (await job(many ?? "")).groupKey], [wide, wide]);
        for (const one of [id, many ?? ""]) assert.equal((await job(one)).priority, priority);
        await db.atomic((tx) => [drainQueue(tx, db.dialect, t.queue, now(), "The case is over.", 100)]);
      }
      const { id } = await queue.add(t, {}, { runAt: "9999-12-31T23:59:59.999Z" });
      assert.equal((await job(id)).state, "delayed");
    },
  },
];
