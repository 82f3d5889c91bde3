/** The build in production, away from the project and its packages: what it serves, prints, and refuses to start with. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "../../scripts/build.ts";
import { createClient } from "../helpers/client.ts";
import { temporaryFolder } from "../helpers/databases.ts";
import { nodes } from "../helpers/nodes.ts";
import { databaseUrl, serverAnswers } from "../helpers/postgres.ts";
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

const postgres = await serverAnswers();
const linesOf = (output: string): Record<string, unknown>[] =>
  output
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

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

test("a Node that is too old is told which one is needed, in one line", () => {
  const preload = join(built.path, "old.mjs");
  writeFileSync(preload, 'Object.defineProperty(process.versions, "node", { value: "22.15.1" });');
  const node = nodes.at(-1)?.path;
  if (!node) return;
  const { status, stdout, stderr } = spawnSync(node, ["--import", preload, join(built.path, "server.js")], {
    encoding: "utf8",
  });
  expect([status, stdout, stderr]).toEqual([1, "", "Node 22.16 or newer is needed, and this is 22.15.1.\n"]);
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

    /** A start that ends by itself. */
    function run(env: Record<string, string>, ...given: string[]) {
      const known = commandOf(runtime, built.path);
      const [command = "", ...args] = "command" in known ? known.command : [];
      return spawnSync(command, [...args, ...given], {
        cwd: "/",
        env: { PATH: process.env.PATH ?? "", ...env },
        encoding: "utf8",
        timeout: 15_000,
      });
    }

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

    // Bun would share the port by default, and each of the two would answer a part of the requests.
    for (const [what, place, reason] of [
      ["a port that is taken", () => ({ PORT: new URL(server.url).port }), /^the start failed: PORT: \d+ is in use$/],
      [
        "an address that is not this machine's",
        () => ({ PORT: "0", HOST: "999.1.1.1" }),
        /^the start failed: HOST: 999\.1\.1\.1 is no address of this machine$/,
      ],
      [
        "a database file where none can be",
        () => ({ PORT: "0", DATABASE_URL: `sqlite:${built.path}/server.js/data.db` }),
        /^the start failed: DATABASE_URL: the SQLite file \S+ cannot be opened: \S/,
      ],
      [
        "a database that nobody has migrated",
        () => ({ PORT: "0", DATABASE_MIGRATE: "false" }),
        /^the start failed: the SQLite file :memory: is not migrated: run `bun run db:migrate`, or set DATABASE_MIGRATE=true$/,
      ],
    ] as const) {
      test(
        `${what} ends the start with one line that says so`,
        () => {
          const { status, stdout } = run({ ...production, DATABASE_URL: "sqlite::memory:", ...place() });
          expect(status).toBe(1);
          const errors = linesOf(stdout).filter(({ level }) => level === "error");
          expect(errors).toEqual([expect.objectContaining({ msg: expect.stringMatching(reason) })]);
          expect(errors[0]).not.toHaveProperty("err");
        },
        LIMIT_MS,
      );
    }

    test.skipIf(!postgres)("a server that has no such database ends the start with one line that says so", () => {
      const DATABASE_URL = databaseUrl("nobody-has-made-this");
      const { status, stdout } = run({ ...production, PORT: "0", DATABASE_URL });
      expect(status).toBe(1);
      const errors = linesOf(stdout).filter(({ level }) => level === "error");
      const msg = 'the start failed: DATABASE_URL: database "nobody-has-made-this" does not exist';
      expect(errors).toEqual([expect.objectContaining({ msg })]);
      expect(errors[0]).not.toHaveProperty("err");
    });

    test("a database server that is away is waited for, and each try is one line with its reason", async () => {
      const known = commandOf(runtime, built.path);
      const [command = "", ...args] = "command" in known ? known.command : [];
      const env = { ...production, PORT: "0", BUS: "memory", DATABASE_URL: "postgres://app:hunter2@127.0.0.1:1/app" };
      const started = Bun.spawn([command, ...args], { cwd: "/", env: { PATH: process.env.PATH ?? "", ...env } });
      setTimeout(() => started.kill("SIGTERM"), 1500);
      const output = await new Response(started.stdout).text();
      expect(await started.exited).toBe(0);
      const tries = linesOf(output).filter(({ retryInMs }) => retryInMs !== undefined);
      expect(tries.length).toBeGreaterThan(1);
      const msg = "the PostgreSQL database app at 127.0.0.1:1 does not answer yet";
      for (const one of tries)
        expect(one).toMatchObject({ level: "warn", msg, reason: expect.stringMatching(/connect/i) });
      for (const one of tries) expect(one).not.toHaveProperty("err");
      expect(output).not.toContain("hunter2");
    });

    test("it starts with no argument: --help tells so, and another is refused", () => {
      const help = run(production, "--help");
      expect([help.status, help.stdout.split("\n")[0], help.stderr]).toEqual([
        0,
        expect.stringMatching(/^Hearth: /),
        "",
      ]);
      const other = run(production, "--port=3000");
      expect([other.status, other.stdout, other.stderr]).toEqual([
        1,
        "",
        expect.stringMatching(/^.*"--port=3000".*\n$/),
      ]);
    });

    test("a bad environment ends it with all faults together, and without a value", () => {
      const { status, stdout, stderr } = run(bad);
      expect(status).toBe(1);
      expect(stdout).toBe("");
      for (const name of ["PORT", "ADMIN_PASSWORD", "DATABASE_URL"]) expect(stderr).toContain(`${name}: expected `);
      for (const value of ["80800", "changeme", "hunter2", "mysql", settings.key.d ?? ""])
        expect(stderr).not.toContain(value);
    });
  });
}
