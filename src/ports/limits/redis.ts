/**
 * Limits of several processes, in Redis: one script a hit, which Redis runs alone. The time is Redis's own, so that the instances' clocks
 * may differ. A key expires by itself when its limit is free.
 */
import type { Clock } from "../../core/clock.ts";
import { increment, SLACK_MS, verdict } from "./gcra.ts";
import type { Limits } from "./port.ts";

/** What is used of a Redis client; ioredis fits. It should fail fast: a command timeout, no offline queue. */
export interface RedisScripts {
  evalsha(sha: string, keys: number, ...args: (string | number)[]): Promise<unknown>;
  eval(script: string, keys: number, ...args: (string | number)[]): Promise<unknown>;
  del(key: string): Promise<unknown>;
  ping(): Promise<unknown>;
}

interface RedisOptions {
  redis: RedisScripts;
  /** Stands before every key. */
  prefix: string;
  /** In place of Redis's time, for tests. */
  clock?: Clock;
}

/**
 * Answers whether the hit passed, `emptyAt` and the time, as text: Redis cuts a script's numbers down to integers. Keys expire by Redis's
 * time, whatever another clock says, so those of a test stay for a minute.
 */
const SCRIPT = `
local now = tonumber(ARGV[3])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + time[2] / 1000
end
local before = tonumber(redis.call('GET', KEYS[1]) or now)
if before < now then before = now end
local after = before + ARGV[1]
local at = string.format('%.4f', now)
if after - now > ARGV[2] + ${SLACK_MS} then return {0, string.format('%.4f', before), at} end
local ttl = ARGV[3] == '' and math.ceil(after - now) or 60000
redis.call('SET', KEYS[1], string.format('%.4f', after), 'PX', ttl)
return {1, string.format('%.4f', after), at}
`;

export function createRedisLimits({ redis, prefix, clock }: RedisOptions): Limits {
  const sha = sha1(SCRIPT);

  async function run(...args: (string | number)[]): Promise<[number, string, string]> {
    const answer = redis.evalsha(await sha, 1, ...args).catch((error: Error) => {
      if (!error.message.startsWith("NOSCRIPT")) throw error;
      return redis.eval(SCRIPT, 1, ...args);
    });
    return (await answer) as [number, string, string];
  }

  return {
    async hit(key, rule, cost = 1) {
      const step = increment(rule, cost);
      const [allowed, emptyAt, now] = await run(prefix + key, step, rule.windowMs, clock?.now() ?? "");
      return verdict(rule, cost, allowed === 1, Number(emptyAt), Number(now));
    },
    async reset(key) {
      await redis.del(prefix + key);
    },
    async ping() {
      await redis.ping();
    },
    /** Keys expire. */
    async sweep() {},
    async close() {},
  };
}

async function sha1(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
