/**
 * Redis, through unstorage's driver, whose client also takes the commands that unstorage has none for: those that are atomic. Redis expires
 * what nobody asks for, and may drop anything earlier (`maxmemory` with `volatile-lru`): it is only made again.
 */
import type { Redis } from "ioredis";
import redisDriver from "unstorage/drivers/redis";
import type { CacheStore } from "./port.ts";
import { createTexts, encodedKey } from "./texts.ts";

interface RedisStoreOptions {
  url: string;
  /** Stands before every key, with a colon after it. */
  prefix: string;
}

/** A cache is not worth waiting for: commands fail at once while there is no connection, and a silent connection is replaced. */
const CLIENT = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 2_000,
  commandTimeout: 1_000,
  socketTimeout: 2_000,
  retryStrategy: (times: number) => Math.min(50 * times, 1_000),
};

/** KEYS: the entry, its lease. ARGV: the token, and what else the operation needs. Each is run by Redis alone. */
const scripts = {
  take: `local taken = redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
return {taken and 1 or 0, redis.call('GET', KEYS[1])}`,
  renew: `if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end`,
  fill: `if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
return 1`,
  release: `if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end`,
};

type Run = (entry: string, lease: string, ...args: (string | number)[]) => Promise<unknown>;

/** `opened` resolves when the first attempt to connect has succeeded or failed; further ones are made by themselves. */
export function createRedisStore({ url, prefix }: RedisStoreOptions): CacheStore & { opened: Promise<void> } {
  const driver = redisDriver({ ...CLIENT, url, base: prefix });
  const redis = driver.getInstance?.() as Redis;
  const opened = new Promise<void>((resolve) => {
    redis.once("ready", () => resolve());
    redis.once("close", () => resolve());
  });
  // Every failed command is reported by its caller; without a listener the client would print the connection's errors too.
  redis.on("error", () => {});
  const texts = createTexts(driver);
  const entryKey = (key: string) => `${prefix}:${encodedKey(key)}`;
  const leaseKey = (key: string) => `${prefix}:lease:${encodedKey(key)}`;

  /** ioredis sends a script's digest, and the script itself to a Redis that does not know it. */
  const run = (name: keyof typeof scripts, key: string, ...args: (string | number)[]) =>
    (redis as unknown as Record<string, Run>)[command(name)]?.(entryKey(key), leaseKey(key), ...args);
  for (const [name, lua] of Object.entries(scripts)) redis.defineCommand(command(name), { numberOfKeys: 2, lua });

  return {
    read: texts.read,
    async write(key, text, keepMs) {
      // First, and on the same connection: a load that is under way must not write over this.
      const ended = redis.del(leaseKey(key));
      await Promise.all([ended, texts.write(key, text, keepMs)]);
    },
    async add(key, text, keepMs) {
      const there = await redis.set(entryKey(key), text, "PX", Math.ceil(keepMs), "NX", "GET");
      return there ?? text;
    },
    async remove(keys) {
      if (keys.length > 0) await redis.unlink(...keys.map(entryKey), ...keys.map(leaseKey));
    },
    leases: {
      async take(key, token, leaseMs) {
        const [taken, text] = (await run("take", key, token, leaseMs)) as [number, string | null];
        return { taken: taken === 1, text };
      },
      async renew(key, token, leaseMs) {
        await run("renew", key, token, leaseMs);
      },
      fill: async (key, token, text, keepMs) => (await run("fill", key, token, text, Math.ceil(keepMs))) === 1,
      async release(key, token) {
        await run("release", key, token);
      },
    },
    close: texts.close,
    opened,
  };
}

const command = (name: string) => `hearthCache${name}`;
