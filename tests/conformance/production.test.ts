/** The build in production, away from the project and its packages: what it serves, prints, and refuses to start with. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "../../scripts/build.ts";
import { createClient } from "../helpers/client.ts";
import { temporaryFolder } from "../helpers/databases.ts";
import { commandOf, processRuntimes, type Server, startServer } from "../helpers/server.ts";
import { openStore, type Store } from "../helpers/store.ts";
import { environment, settings } from "./settings.ts";
import { unique } from "./world.ts";

const LIMIT_MS = 30_000;
const production = { ...environment, NODE_ENV: "production", HOST: "127.0.0.1" };

/** Three faults and two secrets: all faults have to be told together, and none of the values. */
const bad = {
  ...production,
  PORT: "80800",
  ADMIN_PASSWORD: "changeme-secret",
  DATABASE_URL: "mysql://root:hunter2@127.0.0.1/app",
};

const built = temporaryFolder();
beforeAll(() => build(built.path), LIMIT_MS);
afterAll(() => built.remove());

test("the file that Bun starts with has nothing that most starts have no use for", () => {
  const { sources } = JSON.parse(readFileSync(join(built.path, "bun.cjs.map"), "utf8")) as { sources: string[] };
  const idle =
    /node_modules\/(ioredis|bullmq)\/|\/zod\/v4\/locales\/(?!en\.js|index\.js)|\/uuid\/dist\/(?!esm-browser\/)/;
  expect(sources.length).toBeGreaterThan(300);
  expect(sources.filter((path) => idle.test(path))).toEqual([]);
});

for (const runtime of processRuntimes) {
  const found = commandOf(runtime);
  const why = "missing" in found ? ` (${found.missing})` : "";
  describe.skipIf(why !== "")(`production on ${runtime}${why}`, () => {
    let store: Store;
    let server: Server;
    beforeAll(async () => {
      store = await openStore("sqlite");
      server = await startServer({ runtime, database: store.url, env: production, build: built.path });
    }, LIMIT_MS);
    afterAll(async () => {
      await server?.stop();
      await store?.remove();
    }, LIMIT_MS);

    test("every line that it prints is JSON, and none tells the administrator's password or a key", async () => {
      const client = createClient(server.url, () => {});
      const requestId = unique();
      await client("POST", "/v1/auth/login", { body: settings.admin, headers: { "x-request-id": requestId } });
      await client("GET", "/nowhere");
      const line = await server.line((one) => one.requestId === requestId);
      expect([line.route, line.status]).toEqual(["/v1/auth/login", 200]);
      const lines = server.output().trim().split("\n");
      for (const text of lines) expect(JSON.parse(text)).toContainKeys(["level", "time", "msg"]);
      for (const secret of [settings.admin.password, settings.key.d ?? "", settings.probeToken])
        expect(server.output()).not.toContain(secret);
    });

    test("the reference page has its script, from beside the build", async () => {
      const page = await (await fetch(`${server.url}/docs`)).text();
      const script = /src="([^"]*scalar[^"]*)"/.exec(page)?.[1] ?? "no script";
      const answer = await fetch(new URL(script, `${server.url}/docs`));
      expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/javascript; charset=utf-8"]);
      expect((await answer.text()).length).toBeGreaterThan(1_000_000);
    });

    test(
      "a second start finds what the first one made, and makes nothing again",
      async () => {
        const again = await startServer({ runtime, database: store.url, env: production, build: built.path });
        const rows = await store.query?.("select email, role from users");
        expect(rows).toEqual([{ email: settings.admin.email, role: "admin" }]);
        expect(again.lines().filter(({ msg }) => msg.includes("migrations"))).toEqual([]);
        expect((await again.stop()).code).toBe(0);
      },
      LIMIT_MS,
    );

    test("a bad environment ends it with all faults together, and without a value", () => {
      const [command = "", ...args] = "command" in found ? found.command : [];
      const { status, stdout, stderr } = spawnSync(command, args, {
        cwd: "/",
        env: { PATH: process.env.PATH ?? "", ...bad },
        encoding: "utf8",
      });
      expect(status).toBe(1);
      expect(stdout).toBe("");
      for (const name of ["PORT", "ADMIN_PASSWORD", "DATABASE_URL"]) expect(stderr).toContain(`${name}: expected `);
      for (const value of ["80800", "changeme", "hunter2", "mysql", settings.key.d ?? ""])
        expect(stderr).not.toContain(value);
    });
  });
}
