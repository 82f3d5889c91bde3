/** PostgreSQL going away under a running server, and coming back. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Client } from "../helpers/client.ts";
import { serverAnswers } from "../helpers/postgres.ts";
import { type ProxyMode, proxyTo, type TcpProxy } from "../helpers/proxy.ts";
import { commandOf, type Server, startServer } from "../helpers/server.ts";
import { openStore, type Store } from "../helpers/store.ts";
import { environment, settings } from "./settings.ts";
import { openWorld, unique, type World } from "./world.ts";

/** What a client waits for an answer at the most. */
const PATIENCE_MS = 8000;
const LIMIT_MS = 60_000;
const hasPostgres = await serverAnswers();

/** One of each kind: a read, a write, one without a session, and one that is refused before the database is asked. */
const requests: Record<string, (world: World) => ReturnType<Client>> = {
  read: ({ owner }) => owner.api("GET", "/v1/me", { mayBeDown: true }),
  list: ({ admin }) => admin.api("GET", "/v1/users", { mayBeDown: true }),
  write: ({ owner }) => owner.api("PATCH", "/v1/me", { body: { name: unique() }, mayBeDown: true }),
  login: ({ guest, owner: { email, password } }) =>
    guest()("POST", "/v1/auth/login", { body: { email, password }, mayBeDown: true }),
};

for (const runtime of ["bun", "node24"] as const) {
  const found = commandOf(runtime);
  const why = "missing" in found ? found.missing : hasPostgres ? "" : "no PostgreSQL server answers";
  describe.skipIf(why !== "")(`PostgreSQL going away under ${runtime} ${why}`, () => {
    let store: Store;
    let proxy: TcpProxy;
    let server: Server;
    let world: World;

    beforeAll(async () => {
      store = await openStore("postgres");
      const direct = new URL(store.url);
      proxy = await proxyTo({ host: direct.hostname, port: Number(direct.port || 5432) });
      const proxied = new URL(store.url);
      proxied.host = `127.0.0.1:${proxy.port}`;
      server = await startServer({ runtime, database: proxied.href, env: environment });
      const log = { output: async () => server.output(), lines: async () => server.lines(), line: server.line };
      world = await openWorld({ cell: { runtime, engine: "postgres" }, url: server.url, query: store.query, log });
    }, LIMIT_MS);
    afterAll(async () => {
      await proxy?.close();
      await server?.stop();
      await store?.remove();
    }, LIMIT_MS);

    const probe = () =>
      world.guest()("GET", "/readyz", {
        headers: { authorization: `Bearer ${settings.probeToken}` },
        mayBeDown: true,
      });

    test.each(["refuse", "blackhole"] as ProxyMode[])(
      "%s: requests are 503 with Retry-After within 8 s, the process stays alive, readiness falls and says why, and all recovers by itself",
      async (mode) => {
        expect((await world.owner.api("GET", "/v1/me")).status).toBe(200);
        await proxy.set(mode);
        const since = performance.now();
        const timed = await Promise.all(
          Object.entries(requests).map(async ([name, send]) => {
            const { status, json } = await send(world);
            return { name, status, code: json.code, inTime: performance.now() - since < PATIENCE_MS };
          }),
        );
        for (const { name, ...told } of timed)
          expect([name, told]).toEqual([name, { status: 503, code: "unavailable", inTime: true }]);

        expect((await world.guest()("GET", "/livez")).status).toBe(200);
        const down = await probe();
        expect(down.status).toBe(503);
        expect(down.json.detail).toContain("database");
        const strangers = await world.guest()("GET", "/readyz", { mayBeDown: true });
        expect([strangers.status, strangers.text.includes("database")]).toEqual([503, false]);

        await proxy.set("pass");
        const back = performance.now();
        while ((await probe()).status !== 200) expect(performance.now() - back).toBeLessThan(15_000);
        for (const send of Object.values(requests)) {
          let { status } = await send(world);
          // A pool may hold connections that it has not yet found to be dead.
          while (status === 503 && performance.now() - back < 20_000) ({ status } = await send(world));
          expect(status).toBe(200);
        }
      },
      LIMIT_MS,
    );
  });
}
