/** Who loads, who waits for it, and what is answered meanwhile or when it fails. */
import assert from "node:assert/strict";
import { type CacheCase, gate, minute, newName, source, until } from "./cache.world.ts";

export const loadCases: CacheCase[] = [
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
];
