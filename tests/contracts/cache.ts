/** What every form of the cache does, under whatever runtime. The clock stands still unless a case moves it. */
import assert from "node:assert/strict";
import type { Cache, CacheEvent } from "../../src/ports/cache/port.ts";
import type { MovingClock } from "./limits.ts";

export interface CacheCase {
  name: string;
  /** Only where a promise of one caller may be awaited by another. */
  sharesWork?: true;
  run(cache: Cache, clock: MovingClock): Promise<void>;
}

let serial = 0;
/** A name that no other case uses, nor another run on the same store. */
export const newName = () => `case-${process.pid}-${Date.now()}-${serial++}`;

/** A load that ends when it is told to. */
export function gate<T>() {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const begun = Promise.withResolvers<void>();
  let loads = 0;
  const load = () => {
    loads++;
    begun.resolve();
    return promise;
  };
  return { load, begun: begun.promise, resolve, reject, loads: () => loads };
}

/** A source that counts how often it is asked, and fails when it is told to. */
export function source<T>(make: (n: number) => T) {
  const state = { loads: 0, failing: false };
  const load = async (): Promise<T> => {
    state.loads++;
    if (state.failing) throw new Error("the source is down");
    return make(state.loads);
  };
  return Object.assign(load, { state });
}

const minute = { ttlMs: 60_000 };

export const cacheCases: CacheCase[] = [
  {
    name: "what is set is found until it is deleted, and what was never set is not",
    async run(cache) {
      const key = newName();
      assert.equal(await cache.get(key), undefined);
      assert.deepEqual(await cache.set(key, { a: 1 }, minute), { a: 1 });
      assert.deepEqual(await cache.get(key), { a: 1 });
      await cache.set(key, { a: 2 }, minute);
      assert.deepEqual(await cache.get(key), { a: 2 });
      await cache.delete(key);
      assert.equal(await cache.get(key), undefined);
      await cache.delete(key);
    },
  },
  {
    name: "values come back with the type that they had",
    async run(cache) {
      const values = [
        ..."123|true|null|{}|[1]|hearth1[1]| |1e3|-0.5|undefined|\u0000\ud83d\ude00".split("|"),
        ...["", '"quoted"', 0, -1.5, 2 ** 53 - 1, true, false, null, [], {}, { a: { b: [1, "1", null] } }],
      ];
      const name = newName();
      await Promise.all(values.map((value, i) => cache.set(`${name}-${i}`, value, minute)));
      for (const [i, value] of values.entries()) assert.deepEqual(await cache.get(`${name}-${i}`), value);
    },
  },
  {
    name: "keys that stores would take for one another do not meet",
    async run(cache) {
      const name = newName();
      const endings = ["a/b", "a:b", "a::b", "a\\b", "a?b", "a", "a/", ":a", ".", "..", "a%2Fb", "ä", "a b", "A", "a$"];
      const keys = [
        ...endings.map((end) => `${name}${end}`),
        `${"x".repeat(9_000)}${name}1`,
        `${"x".repeat(9_000)}${name}2`,
      ];
      keys.push(`${"/".repeat(350)}${name}1`, `${"/".repeat(350)}${name}2`, `\ud800${name}`);
      await Promise.all(keys.map((key) => cache.set(key, key, minute)));
      for (const key of keys) assert.equal(await cache.get(key), key);
      await cache.delete(keys[0] as string);
      assert.equal(await cache.get(keys[1] as string), keys[1]);
    },
  },
  {
    name: "nobody can change what others get, neither who gave it nor who was given it",
    async run(cache) {
      const key = newName();
      const given = { list: [{ n: 1 }] };
      const answered = await cache.remember(key, () => given, minute);
      (given.list[0] as { n: number }).n = 2;
      assert.throws(() => {
        (answered.list[0] as { n: number }).n = 3;
      }, TypeError);
      assert.throws(() => (answered.list as unknown[]).push(4), TypeError);
      assert.deepEqual(await cache.get(key), { list: [{ n: 1 }] });
    },
  },
  {
    name: "what is not JSON is refused, and an object's own JSON is what is kept",
    async run(cache) {
      const key = newName();
      const cyclic: Record<string, unknown> = {};
      cyclic.self = cyclic;
      for (const value of [undefined, () => 1, Symbol("s"), 1n, cyclic]) {
        await assert.rejects(cache.set(key, value, minute), TypeError);
      }
      const at = new Date(0);
      assert.deepEqual(await cache.remember(key, () => ({ at }), minute), { at: "1970-01-01T00:00:00.000Z" });
    },
  },
  {
    name: "times that are none are refused, before anything is loaded",
    async run(cache) {
      const key = newName();
      for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
        await assert.rejects(cache.set(key, 1, { ttlMs: ms }), RangeError);
        for (const options of [{ ttlMs: ms }, { ...minute, staleMs: ms }, { ...minute, graceMs: ms }]) {
          await assert.rejects(
            cache.remember(key, () => assert.fail("it was loaded"), options),
            RangeError,
          );
        }
      }
      assert.equal(await cache.remember(key, () => 1, { ttlMs: 0 }), 1);
      assert.equal(await cache.get(key), undefined);
    },
  },
  {
    name: "a value is current for its time and not longer, whatever the store thinks of expiry",
    async run(cache, clock) {
      const key = newName();
      const load = source((n) => n);
      const options = { ttlMs: 1_000 };
      assert.equal(await cache.remember(key, load, options), 1);
      clock.move(999);
      assert.equal(await cache.remember(key, load, options), 1);
      assert.equal(await cache.get(key), 1);
      clock.move(1);
      assert.equal(await cache.get(key), undefined);
      assert.equal(await cache.remember(key, load, options), 2);
      await cache.set(key, 10, { ttlMs: 86_400_000 });
      clock.move(86_399_999);
      assert.equal(await cache.remember(key, load, options), 10);
      clock.move(1);
      assert.equal(await cache.remember(key, load, options), 3);
    },
  },
  {
    name: "a thousand callers that miss together wait for one load",
    sharesWork: true,
    async run(cache) {
      const key = newName();
      const { load, resolve, begun, loads } = gate<string>();
      const callers = Array.from({ length: 1_000 }, () => cache.remember(key, load, minute));
      await begun;
      resolve("made");
      assert.deepEqual(new Set(await Promise.all(callers)), new Set(["made"]));
      assert.equal(loads(), 1);
      assert.equal(await cache.remember(key, load, minute), "made");
      assert.equal(loads(), 1);
    },
  },
  {
    name: "a load that fails is told to all who wait for it, and is not remembered",
    async run(cache) {
      const key = newName();
      const load = source(() => "made");
      load.state.failing = true;
      const callers = Array.from({ length: 20 }, () => cache.remember(key, load, minute));
      for (const caller of await Promise.allSettled(callers)) {
        assert.equal(caller.status === "rejected" && caller.reason.message, "the source is down");
      }
      load.state.failing = false;
      assert.equal(await cache.remember(key, load, minute), "made");
    },
  },
  {
    name: "beyond its time a value is answered at once while one load makes the next, and after that it is not",
    sharesWork: true,
    async run(cache, clock) {
      const key = newName();
      const options = { ttlMs: 1_000, staleMs: 5_000 };
      await cache.remember(key, () => "old", options);
      clock.move(1_000);
      const { load, resolve, begun, loads } = gate<string>();
      const answers = await Promise.all(Array.from({ length: 50 }, () => cache.remember(key, load, options)));
      assert.deepEqual(new Set(answers), new Set(["old"]));
      await begun;
      assert.equal(await cache.remember(key, load, options), "old");
      resolve("new");
      await until(async () => (await cache.remember(key, load, options)) === "new");
      assert.equal(loads(), 1);
      clock.move(6_000);
      assert.equal(await cache.remember(key, () => "newest", options), "newest");
    },
  },
  {
    name: "within the grace time a value covers for a source that fails, which is left alone for a second then",
    async run(cache, clock) {
      const key = newName();
      const load = source((n) => n);
      const options = { ttlMs: 1_000, graceMs: 10_000 };
      assert.equal(await cache.remember(key, load, options), 1);
      load.state.failing = true;
      clock.move(2_000);
      for (let i = 0; i < 5; i++) assert.equal(await cache.remember(key, load, options), 1);
      assert.equal(load.state.loads, 2);
      clock.move(1_000);
      assert.equal(await cache.remember(key, load, options), 1);
      assert.equal(load.state.loads, 3);
      clock.move(8_000);
      await assert.rejects(cache.remember(key, load, options), /the source is down/);
      load.state.failing = false;
      assert.equal(await cache.remember(key, load, options), 5);
    },
  },
  {
    name: "null is kept for as long as the caller says, undefined never",
    async run(cache, clock) {
      const key = newName();
      const load = source((): string | null => null);
      await cache.remember(key, load, minute);
      assert.equal(await cache.remember(key, load, minute), null);
      assert.equal(load.state.loads, 2);
      const options = { ...minute, nullTtlMs: 500 };
      for (let i = 0; i < 3; i++) assert.equal(await cache.remember(key, load, options), null);
      assert.equal(load.state.loads, 3);
      assert.equal(await cache.get(key), null);
      clock.move(500);
      await cache.remember(key, load, options);
      assert.equal(load.state.loads, 4);
      const nothing = source(() => undefined);
      const other = newName();
      for (let i = 0; i < 2; i++) assert.equal(await cache.remember(other, nothing, options), undefined);
      assert.equal(nothing.state.loads, 2);
    },
  },
  {
    name: "an invalidated tag makes all its values gone at once, and no other",
    async run(cache) {
      const [name, red, blue] = [newName(), newName(), newName()];
      const set = (key: string, tags: string[]) => cache.set(`${name}-${key}`, key, { ...minute, tags });
      // One after the other: without an atomic operation, those who first use a tag at the same moment may keep in vain.
      for (const [key, tags] of [
        ["none", []],
        ["blue", [blue]],
        ["both", [red, blue]],
      ] as const)
        await set(key, [...tags]);
      await Promise.all(Array.from({ length: 50 }, (_, i) => set(`red${i}`, [red])));
      const found = async (key: string) => (await cache.get(`${name}-${key}`)) === key;
      assert.ok((await found("red7")) && (await found("both")));
      await cache.invalidateTag(red);
      for (let i = 0; i < 50; i++) assert.equal(await found(`red${i}`), false);
      assert.deepEqual([await found("none"), await found("blue"), await found("both")], [true, true, false]);
      await set("red7", [red]);
      assert.equal(await found("red7"), true);
      await cache.invalidateTag(newName());
      await cache.invalidateTag(blue);
      assert.deepEqual([await found("none"), await found("blue"), await found("red7")], [true, false, true]);
    },
  },
  {
    name: "what was invalidated is not answered as stale either, nor for a source that fails",
    async run(cache, clock) {
      const [key, tag] = [newName(), newName()];
      const options = { ttlMs: 1_000, staleMs: 60_000, graceMs: 60_000, tags: [tag] };
      const load = source((n) => n);
      await cache.remember(key, load, options);
      clock.move(1_500);
      load.state.failing = true;
      await cache.invalidateTag(tag);
      await assert.rejects(cache.remember(key, load, options), /the source is down/);
      load.state.failing = false;
      assert.equal(await cache.remember(key, load, options), 3);
    },
  },
  {
    name: "a load that began before an invalidation and ends after it is answered to who waits, and not kept",
    async run(cache) {
      const [key, tag] = [newName(), newName()];
      const options = { ...minute, tags: [tag] };
      const before = gate<string>();
      const waiting = cache.remember(key, before.load, options);
      await before.begun;
      const invalidated = cache.invalidateTag(tag);
      before.resolve("before");
      assert.equal(await waiting, "before");
      await invalidated;
      assert.equal(await cache.get(key), undefined);
      assert.equal(await cache.remember(key, () => "after", options), "after");
      assert.equal(await cache.get(key), "after");
    },
  },
  {
    name: "who comes after a change does not wait for a load that began before it",
    async run(cache) {
      const [key, tag] = [newName(), newName()];
      const options = { ...minute, tags: [tag] };
      for (const change of [() => cache.invalidateTag(tag), () => cache.delete(key)]) {
        const before = gate<string>();
        const waiting = cache.remember(key, before.load, options);
        await before.begun;
        await change();
        assert.equal(await cache.remember(key, () => "after", options), "after");
        before.resolve("before");
        assert.equal(await waiting, "before");
        assert.equal(await cache.get(key), "after");
        await cache.delete(key);
      }
    },
  },
  {
    name: "what is deleted or set during a load is not undone by it",
    async run(cache) {
      const key = newName();
      for (const [change, then] of [
        [() => cache.delete(key), undefined],
        [() => cache.set(key, "set", minute), "set"],
      ] as const) {
        const { load, begun, resolve } = gate<string>();
        const waiting = cache.remember(key, load, minute);
        await begun;
        await change();
        resolve("loaded");
        assert.equal(await waiting, "loaded");
        assert.equal(await cache.get(key), then);
        await cache.delete(key);
      }
    },
  },
  {
    name: "namespaces have keys and counts of their own, and tags in common",
    async run(cache) {
      const [key, tag, one, two] = [newName(), newName(), newName(), newName()];
      const [first, second, inner] = [cache.namespace(one), cache.namespace(two), cache.namespace(one).namespace(two)];
      await cache.set(key, 0, { ...minute, tags: [tag] });
      await first.set(key, 1, { ...minute, tags: [tag] });
      await second.set(key, 2, { ...minute, tags: [tag] });
      await inner.set(key, 3, minute);
      const all = async () => [await cache.get(key), await first.get(key), await second.get(key), await inner.get(key)];
      assert.deepEqual(await all(), [0, 1, 2, 3]);
      await second.delete(key);
      assert.deepEqual(await all(), [0, 1, undefined, 3]);
      await second.invalidateTag(tag);
      assert.deepEqual(await all(), [undefined, undefined, undefined, 3]);
      const { namespaces } = cache.metrics();
      assert.deepEqual([namespaces[one]?.set, namespaces[one]?.hit, namespaces[one]?.miss], [1, 2, 1]);
      assert.deepEqual([namespaces[two]?.delete, namespaces[two]?.invalidate], [1, 1]);
      for (const wrong of ["", "a:b", "a b", "x".repeat(61)]) assert.throws(() => cache.namespace(wrong), RangeError);
    },
  },
  {
    name: "every call is counted once by how it ended, and told to whoever listens",
    async run(cache, clock) {
      const [name, tag] = [newName(), newName()];
      const space = cache.namespace(name);
      const told: string[] = [];
      const end = cache.on(({ type, namespace, key }: CacheEvent) => {
        if (namespace === name) told.push(`${type} ${key}`);
      });
      const options = { ttlMs: 1_000, graceMs: 5_000, tags: [tag] };
      const load = source((n) => n);
      await space.remember("k", load, options);
      await space.remember("k", load, options);
      await space.get("absent");
      clock.move(1_000);
      load.state.failing = true;
      await space.remember("k", load, options);
      await space.invalidateTag(tag);
      await space.remember("k", load, options).catch(() => {});
      await space.set("k", 1, minute);
      await space.delete("k");
      assert.deepEqual(told, [
        ...["load k", "miss k", "hit k", "miss absent", "load k", "failure k", "stale k"],
        ...[`invalidate ${tag}`, "load k", "failure k", "miss k", "set k", "delete k"],
      ]);
      end();
      await space.get("k");
      assert.equal(told.length, 13);
      const counts = cache.metrics().namespaces[name];
      assert.deepEqual(
        { hit: counts?.hit, miss: counts?.miss, stale: counts?.stale, load: counts?.load, failure: counts?.failure },
        { hit: 1, miss: 4, stale: 1, load: 3, failure: 2 },
      );
    },
  },
  {
    name: "a value of more than a mebibyte is answered and not kept, and what it should have replaced is gone",
    async run(cache) {
      const [key, large] = [newName(), "x".repeat(1_048_577)];
      await cache.set(key, "small", minute);
      assert.equal(await cache.set(key, large, minute), large);
      assert.equal(await cache.get(key), undefined);
      assert.equal(await cache.remember(key, () => large, minute), large);
      assert.equal(await cache.get(key), undefined);
      assert.equal(cache.metrics().namespaces[""]?.oversize, 2);
    },
  },
];

/** Waits for what happens in the background. */
export async function until(test: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 5_000; Date.now() < deadline; ) {
    if (await test()) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error("it did not happen within 5 s");
}
