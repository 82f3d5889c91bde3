import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { parseEnv } from "../../src/env.ts";
import { createMemoryBus } from "../../src/ports/bus/memory.ts";
import { type Bus, busCapabilities } from "../../src/ports/bus/port.ts";
import { createPostgresBus } from "../../src/ports/bus/postgres.ts";
import { createRedisBus } from "../../src/ports/bus/redis.ts";
import type { RemoteTiming } from "../../src/ports/bus/remote.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { openBus } from "../../src/runtimes/open-bus.ts";
import { nodes, onNode } from "../helpers/nodes.ts";
import { allHold } from "../helpers/peer.ts";
import { type OwnDatabase, ownDatabase, serverAnswers } from "../helpers/postgres.ts";
import { proxyTo, type TcpProxy } from "../helpers/proxy.ts";
import { redisAnswers, redisUrl } from "../helpers/redis.ts";
import { busCases, listen, numbered, sharedBusCases } from "./bus.ts";

let lines: { level: string; msg: string }[] = [];
const log = createConsoleLog({ level: "debug", print: (line) => lines.push(JSON.parse(line)) });
const hasPostgres = await serverAnswers();
const hasRedis = await redisAnswers();
let opened: Bus[] = [];
const kept = (bus: Bus) => {
  opened.push(bus);
  return bus;
};

beforeEach(() => {
  lines = [];
});
afterEach(async () => {
  await Promise.all(opened.map((bus) => bus.close()));
  opened = [];
});

describe("memory", () => {
  const open = () => kept(createMemoryBus({ log }));
  for (const { name, run } of busCases) test(name, () => run(open));

  test("instances do not hear each other, as the capabilities say", () => {
    const [a, b] = [open(), open()];
    const ear = listen(b, "topic");
    a.publish("topic", "user:1");
    expect(ear.heard).toHaveLength(busCapabilities.memory.shared ? 1 : 0);
  });

  test("what a listener throws is logged", () => {
    const bus = open();
    const fail = () => {
      throw new Error("a listener's fault");
    };
    bus.subscribe("topic", { message: fail, missed: fail });
    bus.publish("topic", "user:1");
    expect(lines).toMatchObject([{ level: "error", topic: "topic", err: { message: "a listener's fault" } }]);
  });
});

type Make = (url: string, timing?: RemoteTiming) => Bus;

function remoteContract(driver: "postgres" | "redis", url: () => string, make: Make) {
  describe(driver, () => {
    const open = () => kept(make(url()));
    const place = () => {
      const { hostname, port } = new URL(url());
      return { host: hostname, port: Number(port || (driver === "redis" ? 6379 : 5432)) };
    };
    for (const { name, run } of [...busCases, ...sharedBusCases]) test(name, () => run(open));
    for (const node of nodes) {
      test(`under ${node.name} it does all of it`, async () => {
        const found = await onNode(node, "bus.peer.ts", driver, url());
        expect(found).toEqual(allHold([...busCases, ...sharedBusCases]));
      }, 180_000);
    }

    describe("while the connection is bad", () => {
      let proxy: TcpProxy;
      beforeAll(async () => {
        proxy = await proxyTo(place());
      });
      afterEach(() => proxy.set("pass"));
      afterAll(() => proxy.close());
      const throughProxy = (timing?: RemoteTiming) => {
        const at = new URL(url());
        at.hostname = "127.0.0.1";
        at.port = `${proxy.port}`;
        return kept(make(at.href, timing));
      };

      test("one that was cut says that messages were missed once it is back, and hears again", async () => {
        const [far, near] = [throughProxy(), open()];
        const ear = listen(far, "cut");
        await Promise.all([far.ready(), near.ready()]);
        for (let round = 1; round <= 3; round++) {
          await proxy.set("refuse");
          near.publish("cut", "lost on the way");
          await Bun.sleep(100);
          await proxy.set("pass");
          await ear.until(({ missed }) => missed === 1 + round);
          near.publish("cut", `after ${round}`);
          await ear.until(({ heard }) => heard.includes(`after ${round}`));
        }
        expect(ear.heard).toEqual(["after 1", "after 2", "after 3"]);
        expect(lines.filter(({ level }) => level === "warn")).toHaveLength(3);
        expect(lines.filter(({ level }) => level === "info")).toHaveLength(3);
      });

      test("what is published meanwhile is heard here at once, and by the others in order when it is back", async () => {
        const [far, near] = [throughProxy(), open()];
        const [own, other] = [listen(far, "kept"), listen(near, "kept")];
        await Promise.all([far.ready(), near.ready()]);
        await proxy.set("refuse");
        for (const text of numbered(100)) far.publish("kept", text);
        expect(own.heard).toEqual(numbered(100));
        await proxy.set("pass");
        await other.until(({ heard }) => heard.includes("user:99"));
        expect(other.heard.slice(-100)).toEqual(numbered(100));
        expect(own.heard).toHaveLength(100);
      });

      test("more than can be kept is given up, and the others are told that they missed something", async () => {
        const [far, near] = [throughProxy(), open()];
        const ear = listen(near, "flood");
        await Promise.all([far.ready(), near.ready()]);
        await proxy.set("refuse");
        for (let i = 0; i < 300; i++) far.publish("flood", `${i} ${"x".repeat(4000)}`);
        far.publish("flood", "last");
        await proxy.set("pass");
        await ear.until(({ heard }) => heard.includes("last"));
        expect(ear.missed).toBe(2);
        expect(ear.heard.length).toBeLessThan(300);
      });

      for (const mode of ["blackhole", "halfopen"] as const) {
        test(`one that swallows everything is noticed and replaced (${mode})`, async () => {
          const [far, near] = [throughProxy({ pingMs: 50, patienceMs: 100 }), open()];
          const [ear, other] = [listen(far, mode), listen(near, mode)];
          await Promise.all([far.ready(), near.ready()]);
          await proxy.set(mode);
          far.publish(mode, "out");
          await Bun.sleep(300);
          await proxy.set("pass");
          await ear.until(({ missed }) => missed >= 2);
          near.publish(mode, "in");
          await Promise.all([
            ear.until(({ heard }) => heard.includes("in")),
            other.until(({ heard }) => heard.includes("out")),
          ]);
        });
      }

      test("one that swallows everything is noticed though nothing is sent", async () => {
        const [far, near] = [throughProxy({ pingMs: 50, patienceMs: 100 }), open()];
        const ear = listen(far, "idle");
        await Promise.all([far.ready(), near.ready()]);
        await proxy.set("blackhole");
        await proxy.set("pass");
        await ear.until(({ missed }) => missed === 2);
        near.publish("idle", "in");
        await ear.until(({ heard }) => heard.includes("in"));
      });

      test("one that is not there at the start is found later, and until then nothing fails", async () => {
        await proxy.set("refuse");
        const [far, near] = [throughProxy(), open()];
        const [ear, other] = [listen(far, "start"), listen(near, "start")];
        far.publish("start", "early");
        expect(ear.heard).toEqual(["early"]);
        await Bun.sleep(200);
        await proxy.set("pass");
        await far.ready();
        await other.until(({ heard }) => heard.includes("early"));
        expect(ear.missed).toBe(1);
        expect(lines.map(({ level }) => level)).toEqual(["warn", "info"]);
      });

      test("closing does not wait for a server that is silent, and leaves no connection", async () => {
        const far = throughProxy();
        await far.ready();
        await proxy.set("blackhole");
        far.publish("close", "a");
        const start = performance.now();
        await far.close();
        expect(performance.now() - start).toBeLessThan(1500);
        for (let i = 0; i < 100 && proxy.open() > 0; i++) await Bun.sleep(10);
        expect(proxy.open()).toBe(0);
      });
    });
  });
}

describe.if(hasPostgres)("on PostgreSQL", () => {
  let own: OwnDatabase;
  beforeAll(async () => {
    own = await ownDatabase();
  });
  afterAll(() => own?.drop());
  const postgres: Make = (url, timing) => createPostgresBus({ url, log, ...(timing && { timing }) });
  remoteContract("postgres", () => own.url, postgres);

  test("what else is told on the channel is passed over", async () => {
    const bus = kept(postgres(own.url));
    const ear = listen(bus, "sessions");
    await bus.ready();
    for (const text of ["", "x", "null", "{}", "[]", "[1,2]", '["a",1,"sessions"]', '["a",1,"sessions",2]'])
      await own.sql.notify("hearth_bus", text);
    await own.sql.notify("hearth_bus", '["a",1,"sessions","user:1"]');
    await ear.until(({ heard }) => heard.length > 0);
    expect(ear.heard).toEqual(["user:1"]);
    expect(ear.missed).toBe(1);
  });

  test("a connection that the server ends is replaced", async () => {
    const bus = kept(postgres(own.url));
    const ear = listen(bus, "ended");
    await bus.ready();
    await own.sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'hearth bus' and datname = current_database()`;
    await ear.until(({ missed }) => missed === 2);
    await own.sql.notify("hearth_bus", '["a",1,"ended","user:1"]');
    await ear.until(({ heard }) => heard.length === 1);
  });
});

describe.if(hasRedis)("on Redis", () => {
  const channel = `hearth-test:${process.pid}:${Date.now()}`;
  const redis: Make = (url, timing) => {
    const open = () => new Redis(url, { retryStrategy: () => null, connectTimeout: 2000 });
    return createRedisBus({ open, channel, log, ...(timing && { timing }) });
  };
  remoteContract("redis", () => redisUrl, redis);

  /** As a server opens it, with the database number of its address. */
  const deployed = async (number: string) => {
    const REDIS_URL = Object.assign(new URL(redisUrl), { pathname: number }).href;
    return kept(await openBus(parseEnv({ REDIS_URL }), log));
  };

  test("deployments on two database numbers do not hear each other", async () => {
    const [own, same, other] = await Promise.all(["/7", "/7", "/8"].map(deployed));
    if (!own || !same || !other) throw new Error("there are three");
    const [near, far] = [listen(same, channel), listen(other, channel)];
    await Promise.all([own, same, other].map((bus) => bus.ready()));
    own.publish(channel, "theirs");
    await near.until(({ heard }) => heard.length === 1);
    other.publish(channel, "its own");
    await far.until(({ heard }) => heard.length > 0);
    expect([near.heard, far.heard]).toEqual([["theirs"], ["its own"]]);
  });

  test("a database number that the server has not is said, and not taken for another", async () => {
    const bus = await deployed("/999999");
    let isReady = false;
    void bus.ready().then(() => {
      isReady = true;
    });
    while (lines.length === 0) await Bun.sleep(5);
    expect(lines).toMatchObject([{ level: "warn", err: { message: expect.stringContaining("out of range") } }]);
    expect(isReady).toBe(false);
  });

  test("one that hears nothing of what it sends says so, once", async () => {
    const deaf = () => {
      const client = new Redis(redisUrl, { retryStrategy: () => null });
      return Object.assign(client, { subscribe: () => client.ping() });
    };
    const timing = { pingMs: 20, patienceMs: 1000 };
    const bus = kept(createRedisBus({ open: deaf, channel, log, timing }));
    const good = kept(redis(redisUrl, timing));
    await Promise.all([bus.ready(), good.ready()]);
    await Bun.sleep(100);
    expect(lines).toEqual([]);
    for (let i = 0; i < 10; i++) {
      good.publish("topic", "a");
      bus.publish("topic", "b");
      await Bun.sleep(20);
    }
    expect(lines).toMatchObject([{ level: "warn", msg: expect.stringContaining("hears nothing") }]);
  });
});
