/** What becomes of a change while the store does not answer, seen on a store that fails on command. */
import { expect, test } from "bun:test";
import { createMemoryBus } from "../../src/ports/bus/memory.ts";
import { createCache } from "../../src/ports/cache/manager.ts";
import type { CacheStore } from "../../src/ports/cache/port.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { source, until } from "./cache.world.ts";
import { movingClock } from "./limits.ts";

const log = createConsoleLog({ level: "silent" });
const minute = { ttlMs: 60_000 };

/** One way to texts that several instances share. */
function wayTo(texts: Map<string, string>) {
  const state = { down: false, asked: 0 };
  const ask = async <T>(work: () => T): Promise<T> => {
    state.asked++;
    if (state.down) throw new Error("the store is down");
    return work();
  };
  const store: CacheStore = {
    read: (keys) => ask(() => keys.map((key) => texts.get(key) ?? null)),
    write: (key, text) => ask(() => void texts.set(key, text)),
    add: (key, text) =>
      ask(() => {
        if (!texts.has(key)) texts.set(key, text);
        return texts.get(key) as string;
      }),
    remove: (keys) =>
      ask(() => {
        for (const key of keys) texts.delete(key);
      }),
    close: async () => {},
  };
  return { store, state };
}

function instances(count: number) {
  const [texts, bus, clock] = [new Map<string, string>(), createMemoryBus({ log }), movingClock()];
  const memory = { maxEntries: 100, maxBytes: 1_000_000 };
  const all = Array.from({ length: count }, () => {
    const { store, state } = wayTo(texts);
    return { cache: createCache({ memory, store, bus, clock, log, random: () => 0 }), state };
  });
  return { all, texts, clock };
}
const two = () => instances(2).all as [Instance, Instance];
type Instance = ReturnType<typeof instances>["all"][number];

test("a removal that the store could not take is made up for without a call, and the others are told again", async () => {
  const [one, other] = two();
  await one.cache.set("k", "old", minute);
  await one.cache.set("tagged", "old", { ...minute, tags: ["t"] });
  const seen = () => Promise.all(["k", "tagged"].map((key) => other.cache.get(key)));
  expect(await seen()).toEqual(["old", "old"]);
  one.state.down = true;
  await one.cache.delete("k");
  await one.cache.invalidateTag("t");
  // It was told, has asked the store again, and found what is still there.
  expect(await seen()).toEqual(["old", "old"]);
  one.state.down = false;
  // The clock stands still: what the other has read is believed until it is told.
  await until(async () => (await seen()).every((value) => value === undefined));
});

test("a clock that is set back does not keep a store or a source from being asked", async () => {
  const { all, clock } = instances(1);
  const { cache, state } = all[0] as Instance;
  state.down = true;
  await cache.get("k");
  state.down = false;
  clock.move(-3_600_000);
  const { asked } = state;
  await cache.get("k");
  expect(state.asked).toBe(asked + 1);

  const load = source((n) => n);
  const options = { ...minute, graceMs: 86_400_000 };
  await cache.remember("k", load, options);
  clock.move(7_200_000);
  load.state.failing = true;
  expect(await cache.remember("k", load, options)).toBe(1);
  load.state.failing = false;
  clock.move(-3_600_000);
  expect(await cache.remember("k", load, options)).toBe(3);
});

test("a cache that is closed tries once more to remove what it owes", async () => {
  const [one, other] = two();
  await one.cache.set("k", "old", minute);
  one.state.down = true;
  await one.cache.delete("k");
  one.state.down = false;
  await one.cache.close();
  expect(await other.cache.get("k")).toBeUndefined();
});
