/** What each user of Redis does with a connection that leads elsewhere than it should. */
import { afterAll, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { systemClock } from "../../src/core/clock.ts";
import { parseEnv } from "../../src/env.ts";
import { createRedisStore } from "../../src/ports/cache/redis.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { openLimits } from "../../src/runtimes/open-limits.ts";
import { openDispatch } from "../../src/runtimes/open-queue.ts";
import { proxyTo } from "../helpers/proxy.ts";
import { redisAnswers, redisUrl, startRedis } from "../helpers/redis.ts";

const log = createConsoleLog({ level: "silent" });
const name = `hearth-test-${process.pid}-${Date.now()}`;
const job = { id: name, name, queue: "default", priority: 0, attempt: 0 };
const rule = { name: "test", limit: 10_000, windowMs: 1000, whenDown: "refuse" as const };

async function users(url: string) {
  const env = parseEnv({ NODE_ENV: "test", REDIS_URL: url, QUEUE: "bullmq" });
  const store = createRedisStore({ url, prefix: name });
  const { limits, close } = await openLimits(env, { db: null as never, clock: systemClock, log });
  const { carrier } = await openDispatch(env, log);
  await store.opened;
  return {
    uses: [
      () => store.write("a", name, 1000),
      () => limits.hit(name, rule),
      () => carrier?.send([job]) ?? Promise.resolve(),
    ] as (() => Promise<unknown>)[],
    close: () => Promise.all([store.close(), close(), carrier?.close()]),
  };
}

const works = (use: () => Promise<unknown>) =>
  use().then(
    () => true,
    () => false,
  );

test.if(await redisAnswers())(
  "nobody goes on in database 0 where Redis has none of the number that was asked for",
  async () => {
    const redis = new Redis(redisUrl);
    const { uses, close } = await users(`${redisUrl}/99999`);
    for (let round = 0; round < 4; round++) {
      await Bun.sleep(150);
      expect(await Promise.all(uses.map(works))).toEqual([false, false, false]);
    }
    expect(await redis.keys(`*${name}*`)).toEqual([]);
    await close();
    redis.disconnect();
  },
  20_000,
);

test.if(await redisAnswers())(
  "a connection that a network has forgotten is replaced",
  async () => {
    const { hostname, port } = new URL(redisUrl);
    const proxy = await proxyTo({ host: hostname, port: Number(port || 6379) });
    const { uses, close } = await users(`redis://127.0.0.1:${proxy.port}`);
    const shared = uses.slice(0, 2);
    const all = async () => (await Promise.all(shared.map(works))).every((done) => done);
    for (const end = Date.now() + 5_000; !(await all()) && Date.now() < end; ) await Bun.sleep(50);
    await proxy.set("blackhole");
    expect(await all()).toBe(false);
    await proxy.set("pass");
    for (const end = Date.now() + 6_000; !(await all()) && Date.now() < end; ) await Bun.sleep(50);
    expect(await all()).toBe(true);
    await close();
    await proxy.close();
  },
  20_000,
);

const [old, next] = [await startRedis(), await startRedis()];
afterAll(() => Promise.all([old?.stop(), next?.stop()]));

test.if(old !== null && next !== null)(
  "after a failover connections to the server that has become a replica are replaced",
  async () => {
    const target = { host: "127.0.0.1", port: old?.port ?? 0 };
    const proxy = await proxyTo(target);
    const { uses, close } = await users(`redis://127.0.0.1:${proxy.port}`);
    const all = async () => (await Promise.all(uses.map(works))).every((done) => done);
    for (const end = Date.now() + 5_000; !(await all()) && Date.now() < end; ) await Bun.sleep(50);
    expect(await all()).toBe(true);
    const admin = new Redis(old?.url ?? "");
    await admin.replicaof("127.0.0.1", next?.port ?? 0);
    admin.disconnect();
    target.port = next?.port ?? 0;
    for (const end = Date.now() + 5_000; !(await all()) && Date.now() < end; ) await Bun.sleep(50);
    expect(await all()).toBe(true);
    await close();
    await proxy.close();
  },
  20_000,
);
