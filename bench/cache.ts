/**
 * The cache beside what one would pick instead: hits in memory, misses, and a stampede. `bun bench/cache.ts [--secs 0.5] [--rounds 7]`, or
 * Node 24 with type stripping. The others are measured if they are installed, which they are not by default:
 *
 *     bun add --no-save bentocache@1.6.1 cache-manager@7.2.9 ocache@0.3.2 lru-cache@11
 *
 * or anywhere else, named with `--rivals <folder that has node_modules>`.
 */
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { Redis } from "ioredis";
import { createStorage } from "unstorage";
import { systemClock } from "../src/core/clock.ts";
import { createMemoryBus } from "../src/ports/bus/memory.ts";
import { createCache } from "../src/ports/cache/manager.ts";
import { createRedisStore } from "../src/ports/cache/redis.ts";
import { createConsoleLog } from "../src/ports/log/console.ts";

const { values: args } = parseArgs({
  options: {
    secs: { type: "string", default: "0.5" },
    rounds: { type: "string", default: "7" },
    rivals: { type: "string", default: "." },
  },
});
const [SECS, ROUNDS] = [Number(args.secs), Number(args.rounds)];
const KEYS = 1_000;
const HOUR = 3_600_000;

interface Value {
  id: number;
  name: string;
  email: string;
  tags: string[];
  bio: string;
}
const value = (id: number): Value => ({
  id,
  name: `User ${id}`,
  email: `user${id}@example.com`,
  tags: ["a", "b", "c"],
  bio: "x".repeat(150),
});
const keys = Array.from({ length: KEYS }, (_, i) => `user:${i}`);

/** How a rival is asked: `hit` for a key that is kept, `fill` to keep it, `remember` for one that may not be. */
interface Contender {
  fill(key: string, value: Value): Promise<unknown>;
  hit(key: string): Promise<Value>;
  remember: ((key: string, load: () => Promise<Value>) => Promise<Value>) | null;
}

const log = createConsoleLog({ level: "warn" });
const own = (store: Parameters<typeof createCache>[0]["store"], memory = true) =>
  createCache({
    memory: memory ? { maxEntries: 2_000_000, maxBytes: 2_000_000_000 } : null,
    store,
    bus: createMemoryBus({ log }),
    clock: systemClock,
    log,
  });
const load = async (): Promise<never> => Promise.reject(new Error("it should have been kept"));
const asContender = (cache: ReturnType<typeof own>, options: { ttlMs: number; tags?: string[] }): Contender => ({
  fill: (key, v) => cache.set(key, v, options),
  hit: (key) => cache.remember(key, load, options) as Promise<Value>,
  remember: (key, make) => cache.remember(key, make, options) as Promise<Value>,
});

const redisUrl = process.env.TEST_REDIS_URL ?? "redis://127.0.0.1:6379";
const prefix = `hearth-bench-${process.pid}`;
const stores = [1, 2].map(() => createRedisStore({ url: redisUrl, prefix }));
await Promise.all(stores.map(({ opened }) => opened));

const contenders: Record<string, Contender> = {
  "hearth, memory": asContender(own(null), { ttlMs: HOUR }),
  "hearth, memory, namespace": asContender(own(null).namespace("users"), { ttlMs: HOUR }),
  "hearth, memory, two tags": asContender(own(null), { ttlMs: HOUR, tags: ["users", "all"] }),
  "hearth, two levels": asContender(own(stores[0] ?? null), { ttlMs: HOUR }),
  "hearth, Redis alone": asContender(own(stores[1] ?? null, false), { ttlMs: HOUR }),
  ...(await rivals()),
};

/** Packages that are not of this project, and so without types here. */
async function rivals(): Promise<Record<string, Contender>> {
  const require = createRequire(join(resolve(args.rivals), "package.json"));
  // biome-ignore lint/suspicious/noExplicitAny: whatever is installed.
  const optional = async (name: string): Promise<any> => {
    try {
      return await import(pathToFileURL(require.resolve(name)).href);
    } catch {
      console.error(`${name} is not installed: left out`);
      return null;
    }
  };
  const found: Record<string, Contender> = {};

  const storage = createStorage<Value>();
  const unstorage: Contender = {
    fill: (key, v) => storage.setItem(key, v),
    hit: (key) => storage.getItem(key) as Promise<Value>,
    remember: null,
  };
  found["unstorage, memory: getItem"] = unstorage;

  const [bento, bentoMemory] = [await optional("bentocache"), await optional("bentocache/drivers/memory")];
  if (bento && bentoMemory) {
    for (const serialize of [true, false]) {
      const layer = bentoMemory.memoryDriver({ maxItems: 2_000_000, ...(!serialize && { serialize }) });
      const cache = new bento.BentoCache({ default: "m", stores: { m: bento.bentostore().useL1Layer(layer) } });
      found[`bentocache${serialize ? "" : ", not serialized"}: getOrSet`] = {
        fill: (key, v) => cache.set({ key, value: v, ttl: "1h" }),
        hit: (key) => cache.getOrSet({ key, ttl: "1h", factory: load }),
        remember: (key, make) => cache.getOrSet({ key, ttl: "1h", factory: make }),
      };
    }
  }
  const manager = await optional("cache-manager");
  if (manager) {
    const cache = manager.createCache({ ttl: HOUR });
    found["cache-manager: wrap"] = {
      fill: (key, v) => cache.set(key, v),
      hit: (key) => cache.wrap(key, load),
      remember: (key, make) => cache.wrap(key, make),
    };
  }
  const ocache = await optional("ocache");
  if (ocache) {
    let current: (key: string) => Promise<Value> = load;
    const cached = ocache.defineCachedFunction((key: string) => current(key), {
      maxAge: HOUR / 1000,
      name: "bench",
      getKey: (key: string) => key,
    });
    const using = (key: string, make: () => Promise<Value>) => {
      current = make;
      return cached(key);
    };
    found["ocache: cached function"] = {
      fill: (key, v) => using(key, async () => v),
      hit: (key) => cached(key),
      remember: using,
    };
  }
  return found;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const thousands = (n: number) => Math.round(n).toLocaleString("en");
const names = Object.keys(contenders);
const each = async (measure: (contender: Contender, name: string) => Promise<number | null>) => {
  const taken = new Map<string, number[]>(names.map((name) => [name, []]));
  // The first round warms up. In turns, so that a busy moment of the machine hits all alike.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const name of names) {
      const rate = await measure(contenders[name] as Contender, name);
      if (round > 0 && rate !== null) taken.get(name)?.push(rate);
    }
  }
  return taken;
};

for (const contender of Object.values(contenders))
  for (const [i, key] of keys.entries()) await contender.fill(key, value(i));

const hits = await each(async ({ hit }) => {
  const began = performance.now();
  let count = 0;
  do {
    for (let i = 0; i < KEYS; i++) if ((await hit(keys[i] as string)).id !== i) throw new Error("a wrong value");
    count += KEYS;
  } while (performance.now() - began < SECS * 1000);
  return (count / (performance.now() - began)) * 1000;
});

let fresh = 0;
const misses = await each(async ({ remember }) => {
  if (!remember) return null;
  const began = performance.now();
  let count = 0;
  do {
    for (let i = 0; i < 200; i++) await remember(`miss:${fresh++}`, async () => value(i));
    count += 200;
  } while (performance.now() - began < (SECS * 1000) / 4);
  return (count / (performance.now() - began)) * 1000;
});

const loads = new Map<string, Set<number>>(names.map((name) => [name, new Set()]));
const stampedes = await each(async ({ remember }, name) => {
  if (!remember) return null;
  const key = `stampede:${fresh++}`;
  let count = 0;
  const slow = async () => {
    count++;
    await new Promise((done) => setTimeout(done, 5));
    return value(1);
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: 1_000 }, () => remember(key, slow)));
  loads.get(name)?.add(count);
  return performance.now() - began;
});

const runtime = process.versions.bun ? `Bun ${process.versions.bun}` : `Node ${process.versions.node}`;
console.log(
  `\n| ${runtime} | hits/s | ns a hit | misses/s | stampede of 1,000, load of 5 ms | loads |\n|---|--:|--:|--:|--:|--:|`,
);
for (const name of names) {
  const [hit, miss, stampede] = [hits, misses, stampedes].map((taken) => median(taken.get(name) ?? []));
  const told = (n = Number.NaN, text: (n: number) => string) => (Number.isNaN(n) ? "–" : text(n));
  const counted = [...(loads.get(name) ?? [])].join(", ");
  console.log(
    `| ${name} | ${told(hit, thousands)} | ${told(hit, (n) => thousands(1e9 / n))} | ${told(miss, thousands)} | ${told(stampede, (n) => `${n.toFixed(1)} ms`)} | ${counted || "–"} |`,
  );
}

// What was kept in Redis would stay there for an hour.
const redis = new Redis(redisUrl);
for await (const found of redis.scanStream({ match: `${prefix}*`, count: 1_000 }))
  if (found.length > 0) await redis.unlink(found);
process.exit(0);
