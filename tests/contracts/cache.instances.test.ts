/** Several instances over one Redis and one bus, and what becomes of them when Redis is away or slow. */
import { afterAll, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { systemClock } from "../../src/core/clock.ts";
import { createMemoryBus } from "../../src/ports/bus/memory.ts";
import type { Bus } from "../../src/ports/bus/port.ts";
import { createRedisBus } from "../../src/ports/bus/redis.ts";
import { createCache } from "../../src/ports/cache/manager.ts";
import { type Cache, type CacheForm, TRUST_MS } from "../../src/ports/cache/port.ts";
import { createRedisStore } from "../../src/ports/cache/redis.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { proxyTo, type TcpProxy } from "../helpers/proxy.ts";
import { redisAnswers, redisUrl } from "../helpers/redis.ts";
import { gate, newName, source, until } from "./cache.world.ts";
import { type MovingClock, movingClock } from "./limits.ts";

const hasRedis = await redisAnswers();
const prefix = `hearth-test-${process.pid}-${Date.now()}`;
const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing) await close();
  if (!hasRedis) return;
  const redis = new Redis(redisUrl);
  const keys = await redis.keys(`${prefix}*`);
  if (keys.length > 0) await redis.del(keys);
  redis.disconnect();
});

const quiet = createConsoleLog({ level: "silent" });

interface InstanceOptions {
  form?: CacheForm;
  bus?: Bus | undefined;
  url?: string;
  clock?: MovingClock;
  print?: (line: string) => void;
}

async function instance({ form = "two-level", bus, url = redisUrl, clock, print }: InstanceOptions = {}) {
  const store = createRedisStore({ url, prefix });
  const cache = createCache({
    memory: form === "two-level" ? { maxEntries: 10_000, maxBytes: 10_000_000 } : null,
    store,
    storeTimeoutMs: 100,
    bus: bus ?? createMemoryBus({ log: quiet }),
    clock: clock ?? systemClock,
    log: print ? createConsoleLog({ level: "warn", clock: clock ?? systemClock, print }) : quiet,
    random: () => 0,
  });
  closing.push(() => cache.close());
  await store.opened;
  return cache;
}

async function redisBus(): Promise<Bus> {
  const options = { connectTimeout: 2000, retryStrategy: () => null };
  const bus = createRedisBus({ open: () => new Redis(redisUrl, options), channel: prefix, log: quiet });
  await bus.ready();
  closing.push(() => bus.close());
  return bus;
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] as number;
const minute = { ttlMs: 60_000 };

describe.if(hasRedis)("two instances on one Redis", () => {
  test.each(["redis", "two-level"] as const)(
    "%s: an invalidation, a deletion and a new value are seen by the other within 100 ms at the median",
    async (form) => {
      const [one, two] = [
        await instance({ form, bus: await redisBus() }),
        await instance({ form, bus: await redisBus() }),
      ];
      const [key, tag] = [newName(), newName()];
      const options = { ...minute, tags: [tag] };
      const taken: number[] = [];
      for (let i = 0; i < 60; i++) {
        await one.set(key, `old ${i}`, options);
        await until(async () => (await two.get(key)) === `old ${i}`);
        // Seen twice, so that memory and the remembered version answer.
        expect(await two.get(key)).toBe(`old ${i}`);
        const began = performance.now();
        if (i % 3 === 0) await one.invalidateTag(tag);
        else if (i % 3 === 1) await one.delete(key);
        else await one.set(key, `new ${i}`, options);
        await until(async () => (await two.get(key)) === (i % 3 === 2 ? `new ${i}` : undefined));
        taken.push(performance.now() - began);
      }
      console.log(`${form}: seen by the other instance after ${median(taken).toFixed(1)} ms at the median`);
      expect(median(taken)).toBeLessThan(100);
    },
  );

  test("without the bus an invalidation is seen when what was read is no longer believed", async () => {
    const clock = movingClock();
    const [one, two] = [await instance({ clock }), await instance({ clock })];
    const [key, other, tag] = [newName(), newName(), newName()];
    await one.set(key, "old", { ...minute, tags: [tag] });
    await one.set(other, "old", minute);
    expect([await two.get(key), await two.get(other)]).toEqual(["old", "old"]);
    await one.invalidateTag(tag);
    await one.delete(other);
    clock.move(TRUST_MS - 1);
    expect([await two.get(key), await two.get(other)]).toEqual(["old", "old"]);
    clock.move(1);
    expect([await two.get(key), await two.get(other)]).toEqual([undefined, undefined]);
  });

  test("a thousand callers on both that miss together wait for one load", async () => {
    const [one, two] = [await instance(), await instance()];
    const [key, tag] = [newName(), newName()];
    const { load, begun, resolve, loads } = gate<string>();
    const options = { ...minute, tags: [tag] };
    const callers = Array.from({ length: 1_000 }, (_, i) => (i % 2 ? one : two).remember(key, load, options));
    await begun;
    setTimeout(() => resolve("made"), 30);
    expect(new Set(await Promise.all(callers))).toEqual(new Set(["made"]));
    expect(loads()).toBe(1);
  });

  test("a load that takes longer than its lease keeps it, and one that fails gives it up at once", async () => {
    const [one, two] = [await instance(), await instance()];
    const key = newName();
    const slow = gate<string>();
    const first = one.remember(key, slow.load, minute);
    await slow.begun;
    const second = two.remember(key, () => "second", minute);
    const early = await Promise.race([second, new Promise((done) => setTimeout(() => done("waits"), 4_000))]);
    expect(early).toBe("waits");
    slow.reject(new Error("the source is down"));
    await expect(first).rejects.toThrow("the source is down");
    expect(await second).toBe("second");
    expect(await one.get(key)).toBe("second");
  }, 10_000);

  test("a load that never ends gives its lease up after half a minute", async () => {
    const clock = movingClock();
    const [one, two] = [await instance({ clock }), await instance({ clock })];
    const key = newName();
    const hung = gate<string>();
    void one.remember(key, hung.load, minute);
    await hung.begun;
    clock.move(30_000);
    const began = performance.now();
    expect(await two.remember(key, () => "made", minute)).toBe("made");
    expect(performance.now() - began).toBeLessThan(6_000);
    expect(await (await instance({ clock })).get(key)).toBe("made");
  }, 10_000);

  test("what cannot be kept is not made by one instance after another", async () => {
    const instances = await Promise.all(Array.from({ length: 5 }, () => instance()));
    for (const [made, options] of [
      [() => null, minute],
      [() => "made", { ttlMs: 0 }],
      [() => Promise.reject(new Error("the source is down")), minute],
    ] as const) {
      const key = newName();
      const state = { loading: 0, most: 0, loads: 0 };
      const load = async () => {
        state.loads++;
        state.most = Math.max(state.most, ++state.loading);
        await new Promise((done) => setTimeout(done, 300));
        state.loading--;
        return made();
      };
      await Promise.allSettled(instances.map((cache) => cache.remember(key, load, options)));
      // The first alone, then all who have waited for it.
      expect(state).toEqual({ loading: 0, most: 4, loads: 5 });
    }
  });

  test("an instance that dies while it loads holds the others up for the time of its lease", async () => {
    const dead = createRedisStore({ url: redisUrl, prefix });
    await dead.opened;
    const key = newName();
    expect(await dead.leases?.take(`e::${key}`, "of the dead", 300)).toEqual({ holder: "of the dead", text: null });
    await dead.close();
    const cache = await instance();
    const began = performance.now();
    expect(await cache.remember(key, () => "made", minute)).toBe("made");
    expect(performance.now() - began).toBeGreaterThan(100);
  });

  test("a change on one instance during a load on the other is not undone by it, with the bus or without", async () => {
    for (const buses of [[], [await redisBus(), await redisBus()]]) {
      const [one, two] = [await instance({ bus: buses[0] }), await instance({ bus: buses[1] })];
      const changes: [string, (key: string, tag: string) => Promise<unknown>, string | undefined][] = [
        ["delete", (key) => two.delete(key), undefined],
        ["set", (key) => two.set(key, "set", minute), "set"],
        ["invalidate", (_, tag) => two.invalidateTag(tag), undefined],
      ];
      for (const [name, change, then] of changes) {
        const [key, tag] = [newName(), newName()];
        const { load, begun, resolve } = gate<string>();
        const waiting = one.remember(key, load, { ...minute, tags: [tag] });
        await begun;
        await change(key, tag);
        resolve("loaded");
        expect(await waiting).toBe("loaded");
        // What the store has; `one` itself may believe its own value for a while where it has no bus.
        expect([name, await instanceFresh(key)]).toEqual([name, then]);
      }
    }
  });

  async function instanceFresh(key: string) {
    const cache = await instance();
    return cache.get(key);
  }

  test("whatever crosses on the way, an outdated value is kept nowhere", async () => {
    const instances = [await instance({ bus: await redisBus() }), await instance({ bus: await redisBus() })] as const;
    const names = Array.from({ length: 6 }, () => newName());
    const truth = new Map(names.map((name) => [name, 0]));
    const pause = (ms: number) => new Promise((done) => setTimeout(done, Math.random() * ms));
    const read = (cache: Cache, name: string) =>
      cache.remember(
        name,
        async () => {
          const value = truth.get(name) as number;
          await pause(4);
          return value;
        },
        { ttlMs: 60_000, staleMs: 60_000, tags: [`tag ${name}`, "all"] },
      );
    const one = async () => {
      const cache = instances[Math.random() < 0.5 ? 0 : 1];
      const name = names[Math.floor(Math.random() * names.length)] as string;
      const dice = Math.random();
      if (dice < 0.7) return read(cache, name);
      truth.set(name, (truth.get(name) as number) + 1);
      await pause(2);
      if (dice < 0.94) await cache.delete(name);
      else await cache.invalidateTag(dice < 0.98 ? `tag ${name}` : "all");
    };
    for (let round = 0; round < 20; round++) {
      await Promise.all(
        Array.from({ length: 50 }, async () => {
          await pause(10);
          await one();
        }),
      );
      const found = async () =>
        Promise.all(
          names.flatMap((name) =>
            instances.map(async (cache) => (await read(cache, name)) - (truth.get(name) as number)),
          ),
        );
      // The bus takes a moment.
      await until(async () => (await found()).every((difference) => difference === 0));
    }
  }, 20_000);

  test("a tag whose version Redis has dropped makes its values anew", async () => {
    const [one, two] = [await instance(), await instance()];
    const [key, tag] = [newName(), newName()];
    await one.set(key, "old", { ...minute, tags: [tag] });
    const redis = new Redis(redisUrl);
    expect(await redis.del(`${prefix}:k${encodeURIComponent(`t:${tag}`)}`)).toBe(1);
    redis.disconnect();
    expect(await two.get(key)).toBeUndefined();
    expect(await two.remember(key, () => "new", { ...minute, tags: [tag] })).toBe("new");
    expect(await two.get(key)).toBe("new");
  });

  test("Redis drops what nobody asks for any more", async () => {
    const cache = await instance();
    const key = newName();
    await cache.remember(key, () => "made", { ttlMs: 10_000, staleMs: 20_000, graceMs: 30_000 });
    const redis = new Redis(redisUrl);
    const ttl = await redis.pttl(`${prefix}:k${encodeURIComponent(`e::${key}`)}`);
    redis.disconnect();
    expect(ttl).toBeGreaterThan(39_000);
    expect(ttl).toBeLessThanOrEqual(40_000);
  });
});

describe.if(hasRedis)("a Redis that is away", () => {
  const { hostname: host, port } = new URL(redisUrl);
  async function behindProxy(form: CacheForm) {
    const proxy = await proxyTo({ host, port: Number(port || 6379) });
    closing.push(() => proxy.close());
    const lines: Record<string, unknown>[] = [];
    const clock = movingClock();
    const print = (line: string) => lines.push(JSON.parse(line));
    const cache = await instance({ form, url: `redis://127.0.0.1:${proxy.port}`, clock, print });
    return { proxy, cache, clock, lines };
  }

  /** Moves the clock past the store's rest until it is asked again and answers. */
  async function back(proxy: TcpProxy, cache: Cache, clock: MovingClock) {
    await proxy.set("pass");
    await until(async () => {
      clock.move(1_000);
      const before = cache.metrics().namespaces[""]?.bypass;
      await cache.get("nothing");
      return cache.metrics().namespaces[""]?.bypass === before;
    });
  }

  for (const mode of ["refuse", "blackhole"] as const) {
    test(`is bypassed (${mode}): calls are answered in time, counted, and one warning a minute tells it`, async () => {
      const { proxy, cache, clock, lines } = await behindProxy("redis");
      const [key, name] = [newName(), newName()];
      const space = cache.namespace(name);
      await space.set(key, "kept", minute);
      await proxy.set(mode);
      const load = source((n) => n);
      const began = performance.now();
      for (let i = 1; i <= 50; i++) expect(await space.remember(key, load, { ...minute, tags: ["t"] })).toBe(i);
      expect(await space.get(key)).toBeUndefined();
      await space.set(key, "lost", minute);
      expect(performance.now() - began).toBeLessThan(1_000);
      expect(cache.metrics().namespaces[name]).toMatchObject({ bypass: 51, load: 50, miss: 0, hit: 0 });
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatchObject({ level: "warn", err: { message: expect.any(String) } });
      for (let i = 0; i < 59; i++) {
        clock.move(1_000);
        await space.get(key);
      }
      expect(lines).toHaveLength(1);
      clock.move(1_000);
      await space.get(key);
      expect(lines).toHaveLength(2);
      expect(Number(lines[1]?.bypassed)).toBeGreaterThan(100);

      await back(proxy, cache, clock);
      await space.set(key, "kept again", minute);
      expect(await space.get(key)).toBe("kept again");
    }, 15_000);
  }

  test.each([
    ["redis://127.0.0.1:1", "ECONNREFUSED"],
    [redisUrl.replace("//", "//nobody:not-the-password@"), "WRONGPASS"],
  ])("is logged with the reason, and without a password: %s", async (url, reason) => {
    const lines: string[] = [];
    const cache = await instance({ url, print: (line) => lines.push(line) });
    await cache.get("k");
    await until(async () => {
      await cache.get("k");
      return lines.length > 0;
    });
    expect(lines.join()).toContain(reason);
    expect(lines.join()).not.toContain("not-the-password");
  });

  test("what was deleted, set or invalidated meanwhile is not found when it is back", async () => {
    for (const form of ["redis", "two-level"] as const) {
      const { proxy, cache, clock } = await behindProxy(form);
      const [one, two, three, tag] = [newName(), newName(), newName(), newName()];
      await cache.set(one, "old", minute);
      await cache.set(two, "old", minute);
      await cache.set(three, "old", { ...minute, tags: [tag] });
      await proxy.set("refuse");
      await cache.delete(one);
      await cache.set(two, "new", minute);
      await cache.invalidateTag(tag);
      expect(await cache.get(three)).toBeUndefined();
      await back(proxy, cache, clock);
      const found = await Promise.all([one, two, three].map((key) => cache.get(key)));
      expect(found).toEqual([undefined, undefined, undefined]);
    }
  }, 15_000);

  test("memory before it goes on answering what it holds, each value for its own time", async () => {
    const { proxy, cache, clock } = await behindProxy("two-level");
    const [plain, tagged, fresh, tag] = [newName(), newName(), newName(), newName()];
    await cache.set(plain, "kept", minute);
    await cache.set(tagged, "kept", { ...minute, tags: [tag] });
    await proxy.set("refuse");
    clock.move(TRUST_MS);
    const load = source(() => "made");
    for (let i = 0; i < 3; i++) {
      expect(await cache.remember(plain, load, minute)).toBe("kept");
      expect(await cache.remember(tagged, load, { ...minute, tags: [tag] })).toBe("kept");
      clock.move(TRUST_MS);
    }
    expect(load.state.loads).toBe(0);
    for (let i = 0; i < 3; i++) expect(await cache.remember(fresh, load, minute)).toBe("made");
    expect(load.state.loads).toBe(1);
    clock.move(60_000);
    await cache.remember(plain, load, minute);
    expect(load.state.loads).toBe(2);
  }, 15_000);

  test("an old value covers for a source that fails while Redis is away", async () => {
    const { proxy, cache, clock } = await behindProxy("two-level");
    const key = newName();
    const load = source((n) => n);
    const options = { ttlMs: 1_000, graceMs: 60_000 };
    await cache.remember(key, load, options);
    await proxy.set("refuse");
    load.state.failing = true;
    clock.move(2_000);
    expect(await cache.remember(key, load, options)).toBe(1);
    expect(load.state.loads).toBe(2);
  }, 15_000);
});
