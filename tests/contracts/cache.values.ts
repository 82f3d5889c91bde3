/** What is kept, under which key, for how long, and how it is counted. */
import assert from "node:assert/strict";
import type { CacheEvent } from "../../src/ports/cache/port.ts";
import { type CacheCase, minute, newName, source } from "./cache.world.ts";

export const valueCases: CacheCase[] = [
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
      keys.push(`\ud801${name}`, `\ufffd${name}`, `${"x".repeat(500)}${name}\ud800`, `${"x".repeat(500)}${name}\ud801`);
      await Promise.all(keys.map((key) => cache.set(key, key, minute)));
      for (const key of keys) assert.equal(await cache.get(key), key);
      await cache.delete(keys[0] as string);
      assert.equal(await cache.get(keys[1] as string), keys[1]);
      // Tags that UTF-8 would take for one another do not either.
      await cache.set(keys[1] as string, 1, { ...minute, tags: [`\ud800${name}`] });
      await cache.invalidateTag(`\ud801${name}`);
      assert.equal(await cache.get(keys[1] as string), 1);
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
      const unkept = await cache.remember(newName(), () => ({ at: new Date(0) }), { ttlMs: 0 });
      assert.deepEqual(unkept, { at: "1970-01-01T00:00:00.000Z" });
      assert.ok(Object.isFrozen(unkept));
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
    name: "beyond its time null is neither answered at once nor for a source that fails",
    async run(cache, clock) {
      const key = newName();
      const options = { ...minute, staleMs: 60_000, graceMs: 60_000, nullTtlMs: 500 };
      const load = source((n) => (n === 1 ? null : "there is one"));
      assert.equal(await cache.remember(key, load, options), null);
      clock.move(500);
      load.state.failing = true;
      await assert.rejects(cache.remember(key, load, options), /the source is down/);
      load.state.failing = false;
      assert.equal(await cache.remember(key, load, options), "there is one");
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
