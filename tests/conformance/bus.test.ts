/** Two servers on one database, which tell each other what has changed: who loses a right through one has lost it at the other. */
import { afterEach, describe, expect, test } from "bun:test";
import { serverAnswers } from "../helpers/postgres.ts";
import { proxyTo, type TcpProxy } from "../helpers/proxy.ts";
import { redisAnswers, redisUrl } from "../helpers/redis.ts";
import { commandOf, type Server, startServer } from "../helpers/server.ts";
import { openStore, type Store } from "../helpers/store.ts";
import { environment } from "./settings.ts";
import { openWorld, type Person, type World } from "./world.ts";

const LIMIT_MS = 60_000;
const ROUNDS = 10;
/** How long a server goes by what it remembers when it is told nothing (`stateTtlMs` of a process). */
const STATE_TTL_MS = 1000;
const hasPostgres = await serverAnswers();
const hasRedis = await redisAnswers();
const hasNode = !("missing" in commandOf("node24"));

describe.skipIf(!hasPostgres)("a right that is taken away through another server", () => {
  const ends: (() => Promise<unknown>)[] = [];
  const end = async () => {
    for (const one of ends.splice(0).reverse()) await one();
  };
  afterEach(end, LIMIT_MS);

  /** A world on the first server; the second one reaches the database through the proxy. */
  async function openPair(env: Record<string, string>) {
    const store: Store = await openStore("postgres");
    ends.push(store.remove);
    const direct = new URL(store.url);
    const proxy: TcpProxy = await proxyTo({ host: direct.hostname, port: Number(direct.port || 5432) });
    ends.push(proxy.close);
    const proxied = Object.assign(new URL(store.url), { hostname: "127.0.0.1", port: `${proxy.port}` });
    const start = async (runtime: "bun" | "node24", database: string): Promise<Server> => {
      const server = await startServer({ runtime, database, env: { ...environment, ...env } });
      ends.push(server.stop);
      return server;
    };
    const first = await start("bun", store.url);
    const second = await start(hasNode ? "node24" : "bun", proxied.href);
    const log = { output: async () => first.output(), lines: async () => first.lines(), line: first.line };
    const cell = { runtime: "bun", engine: "postgres" } as const;
    const world = await openWorld({ cell, url: first.url, query: store.query, log });
    return { world, second, proxy };
  }

  /** What the second server answers to somebody who asks for what administrators alone may see. */
  const ask = (person: Person, second: Server) => person.api.at(second.url)("GET", "/v1/users", { mayBeDown: true });

  async function change({ admin }: World, id: string, role: "user" | "admin"): Promise<void> {
    const { headers } = await admin.api("GET", `/v1/users/${id}`);
    const ifMatch = { "if-match": headers.get("etag") ?? "" };
    expect((await admin.api("PATCH", `/v1/users/${id}`, { body: { role }, headers: ifMatch })).status).toBe(200);
  }

  /** Milliseconds until the second server answers so. */
  async function until(status: number, person: Person, second: Server): Promise<number> {
    const since = performance.now();
    while ((await ask(person, second)).status !== status)
      if (performance.now() - since > 5000) throw new Error(`not ${status} within 5 s`);
    return performance.now() - since;
  }

  const median = (times: number[]) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] as number;

  const buses: Record<string, Record<string, string>> = {
    postgres: { BUS: "postgres" },
    redis: { BUS: "redis", REDIS_URL: redisUrl, LIMIT_STORE: "memory" },
  };
  for (const [bus, env] of Object.entries(buses)) {
    test.skipIf(bus === "redis" && !hasRedis)(
      `ends within 100 ms at the median, and never waits until what is remembered has aged (${bus})`,
      async () => {
        const { world, second } = await openPair(env);
        const person = await world.person();
        const times: number[] = [];
        for (let round = 0; round < ROUNDS; round++) {
          // The second server has just looked: without a word it would go by that for a second.
          expect((await ask(person, second)).status).toBe(403);
          await change(world, person.id, "admin");
          times.push(await until(200, person, second));
          await change(world, person.id, "user");
          times.push(await until(403, person, second));
        }
        const [loggedOut, removed] = [await world.session(person), await world.session(person)];
        for (const session of [loggedOut, removed]) expect((await ask(session, second)).status).toBe(403);
        expect((await loggedOut.api("POST", "/v1/auth/logout", { body: {} })).status).toBe(204);
        times.push(await until(401, loggedOut, second));
        expect((await ask(removed, second)).status).toBe(403);
        const { headers } = await world.admin.api("GET", `/v1/users/${person.id}`);
        const ifMatch = { "if-match": headers.get("etag") ?? "" };
        expect((await world.admin.api("DELETE", `/v1/users/${person.id}`, { headers: ifMatch })).status).toBe(204);
        times.push(await until(401, removed, second));
        expect(median(times)).toBeLessThan(100);
        expect(Math.max(...times)).toBeLessThan(STATE_TTL_MS / 2);
      },
      LIMIT_MS,
    );
  }

  test(
    "begins with a rule of the role or of the person, and ends with it, within 100 ms at the median",
    async () => {
      const { world, second } = await openPair({ BUS: "postgres" });
      const person = await world.person();
      const times: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const scope = round % 2 ? { scopeType: "user", scopeId: person.id } : { scopeType: "role", scopeId: "user" };
        const body = { ...scope, subject: "User", actions: ["list", "read"], fields: ["name"], priority: round };
        // The second server has just looked: without a word it would go by that for a second.
        expect((await ask(person, second)).status).toBe(403);
        const { status, data } = await world.admin.api("POST", "/v1/policy/rules", { body });
        expect(status).toBe(201);
        times.push(await until(200, person, second));
        const path = `/v1/policy/rules/${data.id}`;
        expect((await world.admin.api("PATCH", path, { body: { inverted: true } })).status).toBe(200);
        times.push(await until(403, person, second));
        expect((await world.admin.api("PATCH", path, { body: { inverted: false } })).status).toBe(200);
        times.push(await until(200, person, second));
        expect((await world.admin.api("DELETE", path)).status).toBe(204);
        times.push(await until(403, person, second));
      }
      expect(median(times)).toBeLessThan(100);
      expect(Math.max(...times)).toBeLessThan(STATE_TTL_MS / 2);
    },
    LIMIT_MS,
  );

  test(
    "ends as soon as a server that was cut off is connected again",
    async () => {
      const { world, second, proxy } = await openPair({ BUS: "postgres" });
      const person = await world.person();
      await change(world, person.id, "admin");
      await until(200, person, second);
      // What it went by has aged, so that this look is the one that it would go by for a second from now.
      await Bun.sleep(STATE_TTL_MS);
      const since = performance.now();
      expect((await ask(person, second)).status).toBe(200);
      await proxy.set("refuse");
      await change(world, person.id, "user");
      await proxy.set("pass");
      await until(403, person, second);
      expect(performance.now() - since).toBeLessThan(STATE_TTL_MS - 100);
    },
    LIMIT_MS,
  );

  test(
    "ends when what is remembered has aged, where there is no bus",
    async () => {
      const { world, second } = await openPair({ BUS: "memory" });
      const person = await world.person();
      expect((await ask(person, second)).status).toBe(403);
      const since = performance.now();
      await change(world, person.id, "admin");
      await until(200, person, second);
      const took = performance.now() - since;
      expect(took).toBeGreaterThan(STATE_TTL_MS / 2);
      expect(took).toBeLessThan(STATE_TTL_MS + 1000);
    },
    LIMIT_MS,
  );
});
