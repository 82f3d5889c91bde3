/** The Redis that tests use. */
import process from "node:process";
import { Redis } from "ioredis";

export const redisUrl = process.env.TEST_REDIS_URL ?? "redis://127.0.0.1:6379";

/** Whether it answers. In CI it has to. */
export async function redisAnswers(): Promise<boolean> {
  const client = new Redis(redisUrl, { lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null });
  client.on("error", () => {});
  try {
    await client.connect();
    return true;
  } catch (error) {
    if (process.env.CI === "true") throw error;
    console.warn("Redis is left out: no server answers at TEST_REDIS_URL.");
    return false;
  } finally {
    client.disconnect();
  }
}
