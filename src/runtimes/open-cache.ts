import type { Clock } from "../core/clock.ts";
import type { Env } from "../env.ts";
import type { Bus } from "../ports/bus/port.ts";
import { createCache } from "../ports/cache/manager.ts";
import type { Cache } from "../ports/cache/port.ts";
import type { Log } from "../ports/log/port.ts";

/**
 * Opens the cache that the environment chose, and loads no other store. A Redis that is not there yet is found later; readiness does not ask
 * for it, because a service without it only works more.
 */
export async function openCache(env: Env, deps: { bus: Bus; clock: Clock; log: Log }): Promise<Cache> {
  const { redisUrl, cache } = env;
  const room = { maxEntries: cache.maxEntries, maxBytes: cache.maxBytes };
  if ((cache.store === "redis" || cache.store === "two-level") && redisUrl) {
    const { createRedisStore } = await import("../ports/cache/redis.ts");
    const store = createRedisStore({ url: redisUrl.reveal(), prefix: "hearth:cache" });
    await store.opened;
    return createCache({ memory: cache.store === "redis" ? null : room, store, ...deps });
  }
  return createCache({ memory: room, store: null, ...deps });
}
