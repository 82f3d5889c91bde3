import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { z } from "zod";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { clientOptions, createBullmqCarrier } from "../../src/ports/queue/bullmq.ts";
import { databaseDispatch } from "../../src/ports/queue/database.ts";
import { defineJob, handle, type JobHandler, PermanentError } from "../../src/ports/queue/define.ts";
import type { DueJob } from "../../src/ports/queue/port.ts";
import type { Worker, WorkerOptions } from "../../src/ports/queue/worker.ts";
import { type Opened, openPostgres } from "../helpers/databases.ts";
import { serverAnswers } from "../helpers/postgres.ts";
import { proxyTo } from "../helpers/proxy.ts";
import { redisAnswers, redisUrl } from "../helpers/redis.ts";
import { movingClock } from "./limits.ts";
import { queueCases } from "./queue.ts";
import { type QueueWorld, queueWorld } from "./queue.world.ts";

const log = createConsoleLog({ level: "silent", clock: movingClock() });
const own = `hearth-test:${process.pid}:${Date.now()}`;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
async function until(what: () => Promise<boolean> | boolean, ms = 10_000) {
  for (const end = performance.now() + ms; !(await what()); await pause(5))
    if (performance.now() > end) throw new Error("it did not come to that");
}

let names = 0;
const type = () => defineJob({ name: `bullmq.${names++}`, input: z.looseObject({}) });

describe.if((await redisAnswers()) && (await serverAnswers()))("BullMQ on PostgreSQL", () => {
  let opened: Opened;
  let redis: Redis;
  let worlds = 0;
  beforeAll(async () => {
    opened = await openPostgres();
    redis = new Redis(redisUrl);
  }, 30_000);
  afterAll(async () => {
    await opened?.done();
    const keys = await redis.keys(`${own}*`);
    if (keys.length > 0) await redis.del(keys);
    redis.disconnect();
  });

  type World = QueueWorld & {
    /** A process of its own, with a connection of its own. */
    join(handlers: JobHandler[], options?: Partial<WorkerOptions> & { url?: string }): Promise<Worker>;
    /** How many are on their way, and how many are held by workers. */
    load(): Promise<[number, number]>;
    keys(): Promise<string[]>;
    send(jobs: DueJob[]): Promise<void>;
  };

  async function inWorld(run: (world: World) => Promise<void>) {
    const prefix = `${own}:${worlds++}`;
    const world = queueWorld(opened.db, databaseDispatch);
    const ends: (() => Promise<void>)[] = [];
    function carrier(url = redisUrl) {
      const client = new Redis(url, clientOptions);
      const made = createBullmqCarrier({ redis: client, prefix, log });
      ends.push(async () => {
        await made.close();
        client.disconnect();
      });
      return { client, carrier: made };
    }
    const ready = (client: Redis) => until(() => client.status === "ready");
    const load = () => Promise.all([redis.zcard(`${prefix}:jobs:prioritized`), redis.llen(`${prefix}:jobs:active`)]);
    const { carrier: sender, client: senderClient } = carrier();

    /** As `runOnce` of the other dispatches: until all that was sent has ended. */
    const worker: QueueWorld["worker"] = (handlers, options) => {
      const { client, carrier: own } = carrier();
      const made = world.worker(handlers, { dispatch: { name: "bullmq", carrier: own }, ...options });
      let listening: Promise<unknown> | null = null;
      async function runOnce() {
        await ready(client);
        listening ??= Promise.resolve(own.listen?.(made.consumer));
        await listening;
        const found = await made.runOnce();
        await until(async () => (await load()).every((n) => n === 0));
        await made.settled();
        return found;
      }
      return { ...made, runOnce };
    };
    try {
      await run({
        ...world,
        worker,
        load,
        async join(handlers, { url, ...options } = {}) {
          const { client, carrier: own } = carrier(url);
          await ready(client);
          return world.worker(handlers, { dispatch: { name: "bullmq", carrier: own }, ...options });
        },
        keys: () => redis.keys(`${prefix}:*`),
        async send(jobs) {
          await ready(senderClient);
          await sender.send(jobs);
        },
      });
    } finally {
      await world.end();
      for (const end of ends) await end();
    }
  }

  for (const { name, run } of queueCases) test(name, () => inWorld(run), 30_000);

  test("an id on its way is not taken twice, and one that comes again later runs nothing", () =>
    inWorld(async ({ worker, queue, send, load, job }) => {
      const t = type();
      let ran = 0;
      const w = worker([handle(t, () => void ran++)]);
      const { id } = await queue.add(t, {});
      const due = { id: id ?? "", name: t.name, queue: t.queue, priority: 0, attempt: 0 };
      await send([due]);
      await send([due, due]);
      expect(await load()).toEqual([1, 0]);
      await w.runOnce();
      expect((await job(id)).state).toBe("done");
      await send([due]);
      await until(async () => (await load())[0] === 0);
      await w.runOnce();
      expect([ran, (await job(id)).attempt]).toEqual([1, 1]);
    }));

  test("what Redis has lost is sent again after a while, and nothing stays there of what has ended", () =>
    inWorld(async ({ join, worker, queue, load, keys, job, clock }) => {
      const t = type();
      const run = ({ n }: { n?: unknown }) => {
        if (n === 0) throw new PermanentError("no");
      };
      const ids = await queue.addMany(
        t,
        Array.from({ length: 50 }, (_, n) => ({ n })),
      );
      const relaying = await join([handle(t, run)]);
      expect(await relaying.runOnce()).toBe(50);
      expect(await load()).toEqual([50, 0]);
      await redis.del(await keys());
      const w = worker([handle(t, run)]);
      expect(await w.runOnce()).toBe(0);
      clock.move(30_001);
      expect(await w.runOnce()).toBe(50);
      const states = await Promise.all(ids.map(async (id) => (await job(id)).state));
      expect(states.filter((state) => state === "done")).toHaveLength(49);
      await until(async () => (await keys()).every((key) => !key.includes("job_")));
    }));

  test("what a process had marked when it was killed is sent half a minute later", () =>
    inWorld(async ({ worker, store, queue, job, clock, now }) => {
      const t = type();
      const { id } = await queue.add(t, {});
      const marked = await store.takeUnsent([t], { now: now(), before: now(), limit: 500, window: 5000 });
      expect(marked.map((due) => due.id)).toEqual([id ?? ""]);
      const w = worker([handle(t, () => {})]);
      expect(await w.runOnce()).toBe(0);
      clock.move(30_001);
      expect(await w.runOnce()).toBe(1);
      expect((await job(id)).state).toBe("done");
    }));

  test("what Redis has dropped from its lists alone is sent again too", () =>
    inWorld(async ({ join, worker, queue, keys, job, clock }) => {
      const t = type();
      const ids = await queue.addMany(t, [{}, {}]);
      const relaying = await join([handle(t, () => {})]);
      expect(await relaying.runOnce()).toBe(2);
      const [list = ""] = (await keys()).filter((key) => key.endsWith(":prioritized"));
      expect(await redis.del(list)).toBe(1);
      clock.move(30_001);
      expect(await worker([handle(t, () => {})]).runOnce()).toBe(2);
      expect(await Promise.all(ids.map(async (id) => (await job(id)).state))).toEqual(["done", "done"]);
    }));

  test("Redis losing a job while it runs changes nothing for it", () =>
    inWorld(async ({ join, queue, keys, job }) => {
      const t = type();
      let open = () => {};
      let inside = false;
      const opened = new Promise<void>((resolve) => {
        open = resolve;
      });
      const w = await join([
        handle(t, async () => {
          inside = true;
          await opened;
        }),
      ]);
      await w.start();
      const { id } = await queue.add(t, {});
      const next = await queue.add(t, {});
      w.wake();
      await until(() => inside);
      await redis.del(await keys());
      open();
      await until(async () => (await job(id)).state === "done");
      const later = await queue.add(t, {});
      w.wake();
      await until(async () => (await job(later.id)).state === "done");
      expect((await job(next.id)).attempt).toBeLessThanOrEqual(1);
    }));

  test("while Redis is away nothing is lost, handlers go on, and jobs run when it is back", async () => {
    const { hostname, port } = new URL(redisUrl);
    for (const mode of ["refuse", "blackhole"] as const) {
      const proxy = await proxyTo({ host: hostname, port: Number(port || 6379) });
      await inWorld(async ({ join, queue, job, clock }) => {
        const t = type();
        const ran: unknown[] = [];
        const w = await join([handle(t, ({ n }) => void ran.push(n))], { url: `redis://127.0.0.1:${proxy.port}` });
        await w.start();
        const first = await queue.add(t, { n: 1 });
        w.wake();
        await until(async () => (await job(first.id)).state === "done");
        await proxy.set(mode);
        const ids = await queue.addMany(t, [{ n: 2 }, { n: 3 }]);
        w.wake();
        await pause(300);
        expect((await job(ids[0] ?? "")).state).toBe("waiting");
        await proxy.set("pass");
        await until(() => {
          // An id that comes while its row is just being marked is sent again two seconds later.
          clock.move(10);
          w.wake();
          return ran.length === 3;
        }, 25_000);
        expect(ran.toSorted()).toEqual([1, 2, 3]);
      });
      await proxy.close();
    }
  }, 90_000);

  test.each(["never came", "went away", "says nothing any more"])(
    "a process that stops does not wait for a Redis that %s",
    async (how) => {
      const { hostname, port } = new URL(redisUrl);
      const proxy = await proxyTo({ host: hostname, port: Number(port || 6379) });
      if (how === "never came") await proxy.set("refuse");
      const client = new Redis(`redis://127.0.0.1:${proxy.port}`, clientOptions);
      const carrier = createBullmqCarrier({ redis: client, prefix: `${own}:${worlds++}`, log });
      await carrier.listen?.({ concurrency: 1, deliver: async () => {} });
      if (how !== "never came") {
        await until(() => client.status === "ready");
        await pause(200);
        await proxy.set(how === "went away" ? "refuse" : "blackhole");
      }
      await pause(500);
      const since = performance.now();
      await carrier.quiet?.();
      await carrier.close();
      expect(performance.now() - since).toBeLessThan(4_000);
      client.disconnect();
      await proxy.close();
    },
    30_000,
  );

  test("while Redis is away jobs that it does not carry are tried again, and a process stops as soon as it is idle", async () => {
    const { hostname, port } = new URL(redisUrl);
    const proxy = await proxyTo({ host: hostname, port: Number(port || 6379) });
    await inWorld(async ({ join, queue, job, clock }) => {
      const alone = defineJob({ name: `bullmq.${names++}`, input: z.looseObject({}), concurrency: 1 });
      const carried = type();
      const run = (_: unknown, { attempt }: { attempt: number }) => {
        if (attempt === 1) throw new Error("again");
      };
      const url = `redis://127.0.0.1:${proxy.port}`;
      const w = await join([handle(alone, run), handle(carried, run)], { url });
      await w.start();
      await proxy.set("refuse");
      const waits = await queue.add(carried, {});
      const { id } = await queue.add(alone, {});
      w.wake();
      await until(async () => (await job(id)).state === "retrying");
      await until(async () => {
        clock.move(1000);
        w.wake();
        return (await job(id)).state === "done";
      });
      expect((await job(waits.id)).state).toBe("waiting");
      const since = performance.now();
      await w.stop(20_000);
      expect(performance.now() - since).toBeLessThan(5_000);
    });
    await proxy.close();
  }, 60_000);

  test("a job goes to a process that knows it, though another one gets its id first", () =>
    inWorld(async ({ join, worker, queue, job, load, clock }) => {
      const [known, other] = [type(), type()];
      const stranger = await join([handle(other, () => {})]);
      await stranger.start();
      const { id } = await queue.add(known, {});
      const relaying = await join([handle(known, () => {})]);
      expect(await relaying.runOnce()).toBe(1);
      await until(async () => (await load()).every((n) => n === 0));
      await stranger.stop(0);
      expect((await job(id)).state).toBe("waiting");
      const w = worker([handle(known, () => {})]);
      expect(await w.runOnce()).toBe(0);
      clock.move(2_001);
      expect(await w.runOnce()).toBe(1);
      expect((await job(id)).state).toBe("done");
    }));

  test("a process that stops finishes what runs, and what it does not finish runs elsewhere", () =>
    inWorld(async ({ join, queue, job }) => {
      const t = type();
      let begun = 0;
      const slow = handle(t, async ({ ms }) => {
        begun++;
        await pause(Number(ms));
      });
      const first = await join([slow]);
      await first.start();
      const [short, long] = await queue.addMany(t, [{ ms: 100 }, { ms: 60_000 }]);
      first.wake();
      await until(() => begun === 2);
      await first.stop(300);
      expect((await job(short ?? "")).state).toBe("done");
      expect([(await job(long ?? "")).state, (await job(long ?? "")).attempt]).toEqual(["waiting", 0]);
      const second = await join([handle(t, () => {})]);
      await second.start();
      await until(async () => (await job(long ?? "")).state === "done");
      expect((await job(long ?? "")).attempt).toBe(1);
    }));
});
