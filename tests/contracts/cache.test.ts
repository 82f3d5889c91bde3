import { afterAll, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import type { Clock } from "../../src/core/clock.ts";
import { createMemoryBus } from "../../src/ports/bus/memory.ts";
import type { Bus } from "../../src/ports/bus/port.ts";
import { type CacheOptions, createCache } from "../../src/ports/cache/manager.ts";
import type { Cache } from "../../src/ports/cache/port.ts";
import { createRedisStore } from "../../src/ports/cache/redis.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { underNode } from "../helpers/nodes.ts";
import { allHold } from "../helpers/peer.ts";
import { redisAnswers, redisUrl } from "../helpers/redis.ts";
import { kinds } from "./cache.memory.ts";
import { cacheCases } from "./cache.ts";
import { source } from "./cache.world.ts";
import { movingClock } from "./limits.ts";

const quiet = createConsoleLog({ level: "silent", clock: movingClock() });
const room = { maxEntries: 10_000, maxBytes: 100_000_000 };

function open(options: Pick<CacheOptions, "store"> & Partial<CacheOptions>) {
  return createCache({
    memory: room,
    bus: createMemoryBus({ log: quiet }),
    clock: movingClock(),
    log: quiet,
    random: () => 0,
    ...options,
  });
}

function cacheContract(make: (clock: Clock) => Cache | Promise<Cache>) {
  for (const { name, run } of cacheCases) {
    test(name, async () => {
      const clock = movingClock();
      const cache = await make(clock);
      await run(cache, clock);
      await cache.close();
    });
  }
}

describe("memory", () => {
  cacheContract((clock) => open({ store: null, clock }));

  test("the entries used longest ago are given up when there are too many", async () => {
    const cache = open({ store: null, memory: { maxEntries: 3, maxBytes: 1_000_000 } });
    for (const key of ["a", "b", "c"]) await cache.set(key, key, { ttlMs: 1_000 });
    await cache.get("a");
    await cache.set("d", "d", { ttlMs: 1_000 });
    const found = await Promise.all(["a", "b", "c", "d"].map((key) => cache.get(key)));
    expect(found).toEqual(["a", undefined, "c", "d"]);
    expect(cache.metrics()).toMatchObject({ memory: { entries: 3 }, namespaces: { "": { eviction: 1 } } });
  });

  test("or when they are too large, and one that would take a tenth of the room is not kept", async () => {
    const cache = open({ store: null, memory: { maxEntries: 1_000, maxBytes: 100_000 } });
    for (let i = 0; i < 100; i++) await cache.set(`${i}`, "x".repeat(2_000), { ttlMs: 1_000 });
    const { entries = 0, bytes = 0 } = cache.metrics().memory ?? {};
    expect(bytes).toBeLessThanOrEqual(100_000);
    expect(entries).toBe(Math.floor((100_000 / bytes) * entries));
    expect(entries).toBeGreaterThan(10);
    expect(await cache.get("99")).toBe("x".repeat(2_000));
    await cache.set("99", "x".repeat(6_000), { ttlMs: 1_000 });
    expect(await cache.get("99")).toBeUndefined();
    expect(cache.metrics().namespaces[""]?.eviction).toBe(100 - entries + 1);
  });

  // Each in a process of its own, which has nothing else to forget meanwhile.
  test.each(kinds)("what is counted is at least half of what it takes, and at most twice: %s", async (kind) => {
    const peer = Bun.spawn([process.execPath, `${import.meta.dir}/cache.memory.peer.ts`, kind], { stderr: "inherit" });
    const { counted, taken } = (await new Response(peer.stdout).json()) as { counted: number; taken: number };
    expect(counted / taken).toBeGreaterThan(0.5);
    expect(counted / taken).toBeLessThan(2);
  });

  test("tags that nobody uses, and values that are not used, do not make the others be forgotten", async () => {
    const cache = open({ store: null, memory: { maxEntries: 22_000, maxBytes: 1e9 } });
    const load = source((n) => n);
    const hour = { ttlMs: 3_600_000 };
    const ask = (i: number) => cache.remember(`${i}`, load, { ...hour, tags: [`customer:${i}`, "all"] });
    for (let i = 0; i < 22_000; i++) await ask(i);
    for (let i = 0; i < 50_000; i++) await cache.invalidateTag(`nobody:${i}`);
    for (let i = 0; i < 22_000; i++) await ask(i);
    expect(load.state.loads).toBe(22_000);
    // Those that come now take the place of the tags that were used longest ago, and "all" is not among them.
    for (let i = 22_000; i < 80_000; i++) await ask(i);
    await cache.invalidateTag("nobody");
    load.state.loads = 0;
    for (let i = 79_000; i < 80_000; i++) await ask(i);
    expect(load.state.loads).toBe(0);
  });

  test("chance takes up to a tenth of a value's time away", async () => {
    const clock = movingClock();
    const cache = open({ store: null, clock, random: () => 0.5 });
    await cache.set("k", 1, { ttlMs: 1_000 });
    clock.move(949);
    expect(await cache.get("k")).toBe(1);
    clock.move(1);
    expect(await cache.get("k")).toBeUndefined();
  });

  test("a load in the background that never ends does not keep the cache from being closed", async () => {
    const clock = movingClock();
    const cache = open({ store: null, clock });
    const options = { ttlMs: 1_000, staleMs: 1_000 };
    await cache.remember("k", () => "old", options);
    clock.move(1_000);
    expect(await cache.remember("k", () => new Promise<string>(() => {}), options)).toBe("old");
    await cache.close();
  }, 4_000);

  test("instances without a store hear of changes by the bus, and forget all when they may have missed some", async () => {
    const bus = listenedBus();
    const [one, two] = [open({ store: null, bus }), open({ store: null, bus })];
    for (const cache of [one, two]) {
      await cache.set("untouched", 1, { ttlMs: 1_000 });
      await cache.set("tagged", 1, { ttlMs: 1_000, tags: ["t"] });
    }
    // Setting a key tells the others that theirs is outdated.
    expect([await one.get("untouched"), await two.get("untouched")]).toEqual([undefined, 1]);
    await two.remember("tagged", () => 2, { ttlMs: 1_000, tags: ["t"] });
    await one.invalidateTag("t");
    expect(await two.get("tagged")).toBeUndefined();
    bus.miss();
    expect(await two.get("untouched")).toBeUndefined();
  });
});

/** A bus whose outage can be told. */
function listenedBus(): Bus & { miss(): void } {
  const inner = createMemoryBus({ log: quiet });
  const missed = new Set<() => void>();
  return {
    ...inner,
    subscribe(topic, listener) {
      missed.add(listener.missed);
      return inner.subscribe(topic, listener);
    },
    miss() {
      for (const tell of missed) tell();
    },
  };
}

const hasRedis = await redisAnswers();
const prefix = `hearth-test-${process.pid}-${Date.now()}`;
afterAll(async () => {
  if (!hasRedis) return;
  const redis = new Redis(redisUrl);
  const keys = await redis.keys(`${prefix}*`);
  if (keys.length > 0) await redis.del(keys);
  redis.disconnect();
});

for (const form of ["redis", "two-level"] as const) {
  describe.if(hasRedis)(form, () => {
    cacheContract(async (clock) => {
      const store = createRedisStore({ url: redisUrl, prefix });
      await store.opened;
      return open({ memory: form === "two-level" ? room : null, store, clock });
    });
  });
}

for (const form of ["memory", "kv"]) {
  test(`${form} under Node does all of it`, async () => {
    const cases = cacheCases.filter(({ sharesWork }) => form !== "kv" || !sharesWork);
    expect(await underNode("cache.peer.ts", form)).toEqual(allHold(cases));
  }, 180_000);
}
