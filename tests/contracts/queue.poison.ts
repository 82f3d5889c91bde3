/** Types and handlers that are at fault: each of their jobs ends, and says why, and those beside it run. */
import assert from "node:assert/strict";
import { z } from "zod";
import { toInstant } from "../../src/core/clock.ts";
import { defineJob, handle, type Retry } from "../../src/ports/queue/define.ts";
import { type QueueCase, type } from "./queue.world.ts";

/** What looks like an error, and throws when it is looked at. */
const hostile = () =>
  Object.defineProperty(new Error("no"), "message", {
    get() {
      throw new Error("mine");
    },
  });
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const thrown: Record<string, () => unknown> = {
  nothing: () => undefined,
  bare: () => Object.create(null),
  object: () => Object.assign(new Error("no"), { message: { a: 1 } }),
  symbol: () => Symbol("no"),
  hostile,
  revoked,
};

export const poisonCases: QueueCase[] = [
  {
    name: "whatever a handler throws, its job dies when its attempts are used up, and others run beside it",
    async run({ worker, queue, clock, job }) {
      const t = type({ retry: { attempts: 2, baseMs: 1_000 } });
      const made = ({ what }: Record<string, unknown>) => (thrown[String(what)] as () => unknown)();
      const w = worker(
        [
          handle(t, (input) => {
            if (input.what === "fine") return;
            if (!input.later) throw made(input);
            return Promise.reject(made(input));
          }),
        ],
        { concurrency: 3 },
      );
      const poison = Object.keys(thrown).flatMap((what) => [{ what }, { what, later: true }]);
      const ids = await queue.addMany(t, [...poison, { what: "fine" }]);
      for (let left = ids.length; left > 0; ) left -= await w.runOnce();
      clock.move(1_000);
      for (let left = poison.length; left > 0; ) left -= await w.runOnce();
      const ended = await Promise.all(ids.map(job));
      assert.deepEqual(
        ended.map(({ state, attempt }) => [state, attempt]),
        [...poison.map(() => ["failed", 2]), ["done", 1]],
      );
      for (const { state, error } of ended) assert.equal(state === "done" || (error?.message ?? "") !== "", true);
    },
  },
  {
    name: "a pause that a type does not say, because it throws or answers no number, is as long as where it says none",
    async run({ worker, queue, clock, job }) {
      const faulty: NonNullable<Retry["delayMs"]>[] = [
        (_, error) => (error as { response: { retry: number } }).response.retry,
        () => Number.NaN,
        () => -1,
        () => Number.POSITIVE_INFINITY,
        () => undefined as never,
      ];
      const types = faulty.map((delayMs) => type({ timeoutMs: 20, retry: { baseMs: 500, delayMs } }));
      const w = worker(
        types.map((t) =>
          handle(t, ({ hangs }) => {
            if (!hangs) throw new Error("no");
            return new Promise<void>(() => {});
          }),
        ),
      );
      const ids: (string | null)[] = [];
      for (const t of types) ids.push((await queue.add(t, {})).id, (await queue.add(t, { hangs: true })).id);
      assert.equal(await w.runOnce(), ids.length);
      for (const id of ids) {
        const { state, runAt } = await job(id);
        assert.deepEqual([state, runAt], ["retrying", toInstant(clock.now() + 500)]);
      }
    },
  },
  {
    name: "an input that its schema cannot read when it runs kills at once, and leaves its place to others",
    async run({ worker, queue, job }) {
      const plain = type({ concurrency: 1 });
      const read = defineJob({
        ...plain,
        input: z.object({ url: z.string().transform((text) => new URL(text).host) }),
      });
      const hosts: string[] = [];
      const w = worker([handle(read, ({ url }) => void hosts.push(url))]);
      const bad = await queue.add(plain, { url: "none" });
      await w.runOnce();
      const { state, attempt, error } = await job(bad.id);
      assert.deepEqual([state, attempt, error?.code], ["failed", 1, "payload"]);
      assert.match(error?.message ?? "", /^Its input could not be read: ./);
      const good = await queue.add(read, { url: "https://example.com/" });
      assert.equal(await w.runOnce(), 1);
      assert.deepEqual([(await job(good.id)).state, hosts], ["done", ["example.com"]]);
    },
  },
  {
    name: "an end that cannot be written down is the death of its job, with the reason",
    async run({ worker, queue, job }) {
      const unkept = { ...type(), keepMs: Number.NaN };
      const unpaused = type();
      const fails = { ...unpaused, retry: { ...unpaused.retry, baseMs: Number.NaN } };
      const w = worker([
        handle(unkept, async () => {}),
        handle(fails, () => {
          throw new Error("no");
        }),
      ]);
      const ids = [(await queue.add(unkept, {})).id, (await queue.add(fails, {})).id];
      assert.equal(await w.runOnce(), 2);
      for (const id of ids) {
        const { state, error } = await job(id);
        assert.deepEqual([state, error?.code], ["failed", "error"]);
        assert.match(error?.message ?? "", /^It has no outcome that can be kept: ./);
      }
    },
  },
];
