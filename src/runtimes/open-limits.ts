import type { Clock } from "../core/clock.ts";
import { reconnectOnError } from "../core/redis.ts";
import type { Env } from "../env.ts";
import type { Check } from "../modules/health/service.ts";
import type { Db } from "../ports/db/port.ts";
import type { Limits } from "../ports/limits/port.ts";
import { whenDown } from "../ports/limits/when-down.ts";
import type { Log } from "../ports/log/port.ts";

interface Opened {
  limits: Limits;
  checks: Check[];
  close: () => Promise<void>;
}

/** Commands are given up quickly: a limit that cannot be asked about must not hold the request. */
const COMMAND_TIMEOUT_MS = 500;

/** Opens the store that the environment chose, and loads no other. */
export async function openLimits(env: Env, { db, clock, log }: { db: Db; clock: Clock; log: Log }): Promise<Opened> {
  if (env.limitStore === "redis" && env.redisUrl) {
    const { Redis } = await import("ioredis");
    const { createRedisLimits } = await import("../ports/limits/redis.ts");
    const redis = new Redis(env.redisUrl.reveal(), {
      commandTimeout: COMMAND_TIMEOUT_MS,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      connectTimeout: 2000,
      // A network that swallows everything closes no connection, and each request would wait for it.
      socketTimeout: 2000,
      reconnectOnError,
    });
    // Every failed command is reported by its caller; without a listener the client would print the connection's errors too.
    redis.on("error", () => {});
    const limits = createRedisLimits({ redis, prefix: "hearth:limit:" });
    return {
      limits: whenDown(limits, { log, clock }),
      checks: [{ name: "redis", run: () => redis.ping().then(() => null) }],
      close: async () => {
        await limits.close();
        redis.disconnect();
      },
    };
  }
  if (env.limitStore === "database") {
    const { createDatabaseLimits } = await import("../ports/limits/database.ts");
    const limits = createDatabaseLimits({ db });
    return { limits: whenDown(limits, { log, clock }), checks: [], close: () => limits.close() };
  }
  const { createMemoryLimits } = await import("../ports/limits/memory.ts");
  const limits = createMemoryLimits({ clock });
  return { limits, checks: [], close: () => limits.close() };
}
