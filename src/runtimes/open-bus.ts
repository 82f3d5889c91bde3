import type { Env } from "../env.ts";
import type { Bus } from "../ports/bus/port.ts";
import type { Log } from "../ports/log/port.ts";

/**
 * Opens the bus that the environment chose, and loads no other. It connects by itself: a server that is not there yet is found later. The
 * first time it does `after`, because the client of the server takes a start 7 ms to load.
 */
export async function openBus(env: Env, log: Log, after?: Promise<unknown>): Promise<Bus> {
  const { redisUrl, bus, database } = env;
  if (bus === "redis" && redisUrl) {
    const { Redis } = await import("ioredis");
    const { createRedisBus } = await import("../ports/bus/redis.ts");
    const options = { connectTimeout: 2000, retryStrategy: () => null };
    const url = redisUrl.reveal();
    // Redis tells all databases what is published in one, and other deployments are in others.
    const channel = `hearth:bus:${new URL(url).pathname.slice(1) || "0"}`;
    return createRedisBus({ open: () => new Redis(url, options), channel, log });
  }
  if (bus === "postgres" && database.url.engine === "postgres") {
    const { createPostgresBus } = await import("../ports/bus/postgres.ts");
    return createPostgresBus({ url: database.url.url.reveal(), log, ...(after && { after }) });
  }
  const { createMemoryBus } = await import("../ports/bus/memory.ts");
  return createMemoryBus({ log });
}
