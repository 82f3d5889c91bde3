import type { Env } from "../env.ts";
import type { Log } from "../ports/log/port.ts";
import { databaseDispatch } from "../ports/queue/database.ts";
import type { Dispatch } from "../ports/queue/port.ts";

/** Opens what the environment chose to bring jobs to workers, and loads nothing else. A Redis that is not there yet is found later. */
export async function openDispatch({ jobs, redisUrl }: Env, log: Log): Promise<Dispatch> {
  if (jobs.dispatch !== "bullmq" || !redisUrl) return databaseDispatch;
  const { Redis } = await import("ioredis");
  const { clientOptions, createBullmqCarrier } = await import("../ports/queue/bullmq.ts");
  const redis = new Redis(redisUrl.reveal(), clientOptions);
  const carrier = createBullmqCarrier({ redis, prefix: "hearth:queue", log });
  return {
    name: "bullmq",
    carrier: {
      ...carrier,
      async close() {
        await carrier.close();
        redis.disconnect();
      },
    },
  };
}
