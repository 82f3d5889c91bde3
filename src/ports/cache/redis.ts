/**
 * Redis, through unstorage's driver, whose client also takes the commands that unstorage has none for: those that are atomic. Redis expires
 * what nobody asks for, and may drop anything earlier (`maxmemory` with `volatile-lru`): it is only made again.
 */
import type { Redis } from "ioredis";
import redisDriver from "unstorage/drivers/redis";
import { reconnectOnError } from "../../core/redis.ts";
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
  reconnectOnError,
};

/** KEYS: the entry, its lease. ARGV: the token, and what else the operation needs. Each is run by Redis alone. */
const scripts = {
  // SET takes NX together with GET from Redis 7 on.
  add: `redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
return redis.call('GET', KEYS[1])`,
  take: `redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2])
return {redis.call('GET', KEYS[2]), redis.call('GET', KEYS[1])}`,
  renew: `if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end`,
  fill: `if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
return 1`,
  clear: `if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1], KEYS[2])
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
  // A command that fails for want of a connection says no more than that. Without a listener the client would print these errors itself.
  let refusal: Error | null = null;
  redis.on("error", (error: NodeJS.ErrnoException) => {
    // Not the error itself, on which the client hangs the command, and so the password.
    refusal = new Error(error.message || error.code);
  });
  redis.on("ready", () => {
    refusal = null;
  });
  async function explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (refusal && error instanceof Error) error.cause ??= refusal;
      throw error;
    }
  }
  const texts = createTexts(driver);
  const entryKey = (key: string) => `${prefix}:${encodedKey(key)}`;
  const leaseKey = (key: string) => `${prefix}:lease:${encodedKey(key)}`;

  /** ioredis sends a script's digest, and the script itself to a Redis that does not know it. */
  const run = (name: keyof typeof scripts, key: string, ...args: (string | number)[]) =>
    explained(async () =>
      (redis as unknown as Record<string, Run>)[command(name)]?.(entryKey(key), leaseKey(key), ...args),
    );
  for (const [name, lua] of Object.entries(scripts)) redis.defineCommand(command(name), { numberOfKeys: 2, lua });

  return {
    read: (keys) => explained(() => texts.read(keys)),
    write: (key, text, keepMs) =>
      explained(async () => {
        // First, and on the same connection: a load that is under way must not write over this.
        const ended = redis.del(leaseKey(key));
        await Promise.all([ended, texts.write(key, text, keepMs)]);
      }),
    add: async (key, text, keepMs) => (await run("add", key, text, Math.ceil(keepMs))) as string,
    async remove(keys) {
      if (keys.length > 0) await explained(() => redis.unlink(...keys.map(entryKey), ...keys.map(leaseKey)));
    },
    leases: {
      async take(key, token, leaseMs) {
        const [holder, text] = (await run("take", key, token, leaseMs)) as [string, string | null];
        return { holder, text };
      },
      async renew(key, token, leaseMs) {
        await run("renew", key, token, leaseMs);
      },
      fill: async (key, token, text, keepMs) => (await run("fill", key, token, text, Math.ceil(keepMs))) === 1,
      clear: async (key, token) => (await run("clear", key, token)) === 1,
      async release(key, token) {
        await run("release", key, token);
      },
    },
    close: texts.close,
    opened,
  };
}

const command = (name: string) => `hearthCache${name}`;
