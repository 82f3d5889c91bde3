import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import type { Clock } from "../../src/core/clock.ts";
import { createDatabaseLimits } from "../../src/ports/limits/database.ts";
import { createMemoryLimits } from "../../src/ports/limits/memory.ts";
import type { Limits } from "../../src/ports/limits/port.ts";
import { createRedisLimits } from "../../src/ports/limits/redis.ts";
import { whenDown } from "../../src/ports/limits/when-down.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import type { Opened } from "../helpers/databases.ts";
import { engines, enginesUnderNode } from "../helpers/engines.ts";
import { underNode } from "../helpers/nodes.ts";
import { allHold } from "../helpers/peer.ts";
import { redisAnswers, redisUrl } from "../helpers/redis.ts";
import { limitsCases, movingClock } from "./limits.ts";

function limitsContract(make: (clock?: Clock) => Limits) {
  for (const { name, run } of limitsCases) {
    test(name, async () => {
      const clock = movingClock();
      await run(make(clock), clock);
    });
  }
}

describe("memory", () => {
  limitsContract((clock = movingClock()) => createMemoryLimits({ clock }));

  test("keys are bounded: those that are free go first, and one in use is given up only when all are", async () => {
    const clock = movingClock();
    const limits = createMemoryLimits({ clock, maxKeys: 100 });
    const rule = { limit: 1, windowMs: 1_000 };
    await limits.hit("long", { limit: 1, windowMs: 1_000_000 });
    for (let i = 0; i < 90; i++) await limits.hit(`first ${i}`, rule);
    clock.move(1_001);
    for (let i = 0; i < 5_000; i++) {
      if (i % 50 === 0) clock.move(1_001);
      await limits.hit(`later ${i}`, rule);
    }
    expect((await limits.hit("long", { limit: 1, windowMs: 1_000_000 })).allowed).toBe(false);
    for (let i = 0; i < 5_000; i++) await limits.hit(`flood ${i}`, rule);
    expect(await stillRefused(limits, 5_000)).toBeLessThanOrEqual(100);
  });

  const stillRefused = async (limits: Limits, floods: number) => {
    let refused = 0;
    for (let i = floods - 1; i >= 0; i--) {
      const { allowed } = await limits.hit(`flood ${i}`, { limit: 1, windowMs: 1_000 });
      if (!allowed) refused++;
    }
    return refused;
  };
});

describe.if(await redisAnswers())("Redis", () => {
  const redis = new Redis(redisUrl, { lazyConnect: true });
  const prefix = `hearth-test:${process.pid}:${Date.now()}:`;
  afterAll(async () => {
    const keys = await redis.keys(`${prefix}*`);
    if (keys.length > 0) await redis.del(keys);
    redis.disconnect();
  });
  limitsContract((clock) => createRedisLimits({ redis, prefix, ...(clock && { clock }) }));

  test("two instances with clocks of their own share one limit by the time of Redis, and its keys expire", async () => {
    const other = redis.duplicate();
    const instances = [redis, other].map((client) => createRedisLimits({ redis: client, prefix }));
    const rule = { limit: 50, windowMs: 3_600_000 };
    const hits = Array.from({ length: 200 }, (_, i) => (instances[i % 2] as Limits).hit("shared", rule));
    expect((await Promise.all(hits)).filter(({ allowed }) => allowed)).toHaveLength(50);
    const ttl = await redis.pttl(`${prefix}shared`);
    expect(ttl).toBeGreaterThan(3_590_000);
    expect(ttl).toBeLessThanOrEqual(3_600_000);
    other.disconnect();
  });

  test("the script is sent again to a Redis that has forgotten it", async () => {
    const limits = createRedisLimits({ redis, prefix });
    await limits.hit("script", { limit: 2, windowMs: 60_000 });
    await redis.script("FLUSH");
    expect((await limits.hit("script", { limit: 2, windowMs: 60_000 })).remaining).toBe(0);
  });
});

describe.each(engines)("$name", ({ open }) => {
  let opened: Opened;
  beforeAll(async () => {
    opened = await open();
  }, 30_000);
  afterAll(() => opened?.done());
  limitsContract((clock) => createDatabaseLimits({ db: opened.db, ...(clock && { clock }) }));

  test("two instances share one limit by the database's own time", async () => {
    const instances = [createDatabaseLimits({ db: opened.db }), createDatabaseLimits({ db: opened.db })];
    const rule = { limit: 50, windowMs: 3_600_000 };
    const hits = Array.from({ length: 200 }, (_, i) => (instances[i % 2] as Limits).hit("shared", rule));
    const verdicts = await Promise.all(hits);
    expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(50);
    const [{ emptyAt } = { emptyAt: 0 }] = await opened.db.all(
      opened.db.prepare((q, { limitCounters: t }) => q.select({ emptyAt: t.emptyAt }).from(t).orderBy(t.emptyAt))(),
      { fresh: true },
    );
    expect(emptyAt).toBeGreaterThan(0);
  });

  test("the sweep takes away the keys that are free, and no other", async () => {
    const clock = movingClock();
    const limits = createDatabaseLimits({ db: opened.db, clock });
    const rows = () =>
      opened.db.all(opened.db.prepare((q, { limitCounters: t }) => q.select({ id: t.id }).from(t))(), {
        fresh: true,
      });
    clock.move(10 ** 15);
    await limits.sweep();
    expect(await rows()).toEqual([]);
    await limits.hit("short", { limit: 1, windowMs: 1_000 });
    await limits.hit("long", { limit: 1, windowMs: 2_000 });
    clock.move(1_000);
    await limits.sweep();
    expect(await rows()).toEqual([{ id: "long" }]);
  });
});

for (const engine of enginesUnderNode) {
  test(`${engine} under Node does all of it`, async () => {
    const cases = [...limitsCases, { name: "the database's own time" }];
    expect(await underNode("limits.peer.ts", engine)).toEqual(allHold(cases));
  }, 180_000);
}

describe("a store that does not answer", () => {
  const rule = { limit: 1, windowMs: 1_000 };
  const setUp = (inner: Limits) => {
    const lines: Record<string, unknown>[] = [];
    const clock = movingClock();
    const log = createConsoleLog({ level: "debug", clock, print: (line) => lines.push(JSON.parse(line)) });
    return { limits: whenDown(inner, { log, clock }), lines, clock };
  };

  /** A Redis where nothing listens, and one that takes connections and never answers. */
  async function brokenRedis(kind: "closed" | "silent") {
    const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const { port } = server;
    if (kind === "closed") server.stop(true);
    const options = { port, lazyConnect: true, enableReadyCheck: false, commandTimeout: 50, maxRetriesPerRequest: 0 };
    const client = new Redis({ ...options, enableOfflineQueue: kind === "silent", retryStrategy: () => null });
    client.on("error", () => {});
    await client.connect().catch(() => {});
    return {
      limits: createRedisLimits({ redis: client, prefix: "" }),
      end() {
        client.disconnect();
        server.stop(true);
      },
    };
  }

  for (const kind of ["closed", "silent"] as const) {
    test(`while Redis is ${kind} a process counts alone, with one warning in ten seconds, or refuses where the rule says so`, async () => {
      const broken = await brokenRedis(kind);
      const { limits, lines, clock } = setUp(broken.limits);
      for (let i = 0; i < 5; i++) expect((await limits.hit("k", rule)).allowed).toBe(i === 0);
      expect(lines).toMatchObject([{ level: "warn", hits: 1, err: { type: expect.any(String) } }]);
      clock.move(10_000);
      expect((await limits.hit("k", rule)).allowed).toBe(true);
      expect(lines).toMatchObject([{}, { level: "warn", hits: 5 }]);
      await expect(limits.hit("k", { ...rule, whenDown: "refuse" })).rejects.toMatchObject({ code: "unavailable" });
      await expect(limits.hit("k", rule, 2)).rejects.toBeInstanceOf(RangeError);
      broken.end();
    });
  }

  test("one that answers is not in the way", async () => {
    const { limits, lines } = setUp(createMemoryLimits({ clock: movingClock() }));
    expect((await limits.hit("k", rule)).allowed).toBe(true);
    expect((await limits.hit("k", rule)).allowed).toBe(false);
    await limits.reset("k");
    expect((await limits.hit("k", { ...rule, whenDown: "refuse" })).allowed).toBe(true);
    expect(lines).toEqual([]);
  });
});
