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

/** A server of its own, to be broken; null where there is no program for one. */
export async function startRedis(): Promise<{ url: string; port: number; stop(): Promise<void> } | null> {
  const program = Bun.which("redis-server");
  if (!program) return null;
  const free = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = free;
  free.stop();
  // A copy of another one goes straight into memory: no file is written.
  const diskless = ["--save", "", "--repl-diskless-sync", "yes", "--repl-diskless-load", "swapdb"];
  const server = Bun.spawn([program, "--bind", "127.0.0.1", "--port", String(port), ...diskless], {
    stdio: ["ignore", "ignore", "ignore"],
  });
  const url = `redis://127.0.0.1:${port}`;
  const client = new Redis(url, { retryStrategy: () => 20 });
  client.on("error", () => {});
  await client.ping();
  client.disconnect();
  return {
    url,
    port,
    async stop() {
      server.kill();
      await server.exited;
    },
  };
}
