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
    name: "a change that concerns an older load of a key lets the callers of the newer one go on waiting for it together",
    sharesWork: true,
    async run(cache) {
      const [key, tag] = [newName(), newName()];
      const [older, newer] = [gate<string>(), gate<string>()];
      const first = cache.remember(key, older.load, { ...minute, tags: [tag] });
      await older.begun;
      await cache.delete(key);
      const second = cache.remember(key, newer.load, minute);
      await newer.begun;
      await cache.invalidateTag(tag);
      const third = cache.remember(key, newer.load, minute);
      newer.resolve("new");
      assert.deepEqual(await Promise.all([second, third]), ["new", "new"]);
      assert.equal(newer.loads(), 1);
      older.resolve("old");
      assert.equal(await first, "old");
      assert.equal(await cache.get(key), "new");
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
    name: "a load whose value is not kept removes the old one, which then covers for nothing",
    async run(cache, clock) {
      const options = { ttlMs: 1_000, staleMs: 60_000, graceMs: 120_000 };
      for (const next of [null, undefined, "x".repeat(1_048_577)]) {
        for (const pastMs of [1_500, 61_500]) {
          const key = newName();
          const load = source(() => next as unknown);
          await cache.remember(key, () => "old", options);
          clock.move(pastMs);
          if (pastMs < options.staleMs) assert.equal(await cache.remember(key, load, options), "old");
          await until(async () => (await cache.remember(key, load, options)) === next);
          load.state.failing = true;
          await assert.rejects(cache.remember(key, load, options), /the source is down/);
        }
      }
    },
  },
  {
    name: "a load that has taken half a minute is not waited for by those who come then, and keeps nothing",
    async run(cache, clock) {
      const key = newName();
      const options = { ttlMs: 3_600_000 };
      const hung = gate<string>();
      const waiting = cache.remember(key, hung.load, options);
      await hung.begun;
      clock.move(30_000);
      assert.equal(await cache.remember(key, () => "later", options), "later");
      hung.resolve("at last");
      assert.equal(await waiting, "at last");
      assert.equal(await cache.get(key), "later");
    },
  },
  {
    name: "a load that never ends does not keep a stale value from being made anew",
    async run(cache, clock) {
      const key = newName();
      const options = { ttlMs: 1_000, staleMs: 3_600_000 };
      await cache.remember(key, () => "old", options);
      clock.move(1_000);
      const hung = gate<string>();
      assert.equal(await cache.remember(key, hung.load, options), "old");
      await hung.begun;
      clock.move(30_000);
      await until(async () => (await cache.remember(key, () => "new", options)) === "new");
      hung.resolve("at last");
      await new Promise((done) => setTimeout(done, 5));
      assert.equal(await cache.get(key), "new");
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
