/** What an invalidation, a deletion or a new value does to what is there and to what is being loaded. */
import assert from "node:assert/strict";
import { type CacheCase, gate, minute, newName, source } from "./cache.world.ts";

export const changeCases: CacheCase[] = [
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
];
