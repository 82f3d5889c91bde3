import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { d1Migrations } from "../../src/ports/db/d1-migrations.ts";
import { checkSchema, expectedVersion, schemaVersion } from "../../src/ports/db/migrate.ts";
import { createSqliteDb } from "../../src/ports/db/sqlite.ts";
import { createFileClient } from "../../src/ports/db/sqlite-file.ts";
import { runCommand, runScript } from "../helpers/command.ts";
import { temporaryFolder } from "../helpers/databases.ts";
import { nodes } from "../helpers/nodes.ts";
import { serverAnswers } from "../helpers/postgres.ts";
import { openStore } from "../helpers/store.ts";

const wrangler = new URL("../../node_modules/wrangler/bin/wrangler.js", import.meta.url).pathname;
const folder = temporaryFolder();
afterAll(folder.remove);

let file = "";
let round = 0;
beforeEach(() => {
  file = join(folder.path, String(round++), "data", "test.db");
});

const run = (script: string, args: string[] = [], env: Record<string, string> = {}) =>
  runScript(script, args, {
    cwd: folder.path,
    env: { NODE_ENV: "development", DATABASE_URL: `sqlite:${file}`, ...env },
  });

describe("db:migrate", () => {
  test("applies what is missing, and with --check only tells it", async () => {
    const missing = await run("db-migrate", ["--check"]);
    expect(missing.code).toBe(1);
    expect(missing.out).toContain("migration/0000_initial is not applied");
    const applied = await run("db-migrate");
    expect(applied.code).toBe(0);
    expect(applied.out).toContain("migration/0000_initial");
    const check = await run("db-migrate", ["--check"]);
    expect([check.code, check.out]).toEqual([0, `Up to date: the SQLite file ${file}.\n`]);
  }, 20_000);

  test("tells and mends what was changed by hand", async () => {
    await run("db-migrate");
    const operator = openBunSqlite(file);
    operator.exec("drop trigger users_touch");
    operator.close();
    const check = await run("db-migrate", ["--check"]);
    expect(check.code).toBe(1);
    expect(check.out).toContain("trigger users_touch is missing");
    expect((await run("db-migrate")).out).toContain("trigger users_touch is missing");
    expect((await run("db-migrate", ["--check"])).code).toBe(0);
  }, 20_000);

  test("says which setting is wrong, and never its value", async () => {
    const { code, err } = await run("db-migrate", [], { DATABASE_URL: "mysql://root:hunter2@db" });
    expect(code).toBe(1);
    expect(err).toContain("DATABASE_URL");
    expect(err).not.toContain("hunter2");
  }, 20_000);
});

describe("db:seed and db:reset", () => {
  const count = () => {
    const operator = openBunSqlite(file);
    const [[n]] = operator.rows("select count(*) from users", []) as [[number]];
    operator.close();
    return n;
  };

  test("a generated password is printed once; a reset asks, then starts anew", async () => {
    await run("db-migrate");
    const first = await run("db-seed");
    expect(first.out).toMatch(/Administrator: admin@example\.com, password [A-Za-z0-9]{20} /);
    expect((await run("db-seed")).out).not.toContain("password");
    const operator = openBunSqlite(file);
    operator.exec("insert into users (id, email, name, role) values ('user_x', 'x', 'x', 'user')");
    operator.close();
    const before = count();
    const refused = await run("db-reset");
    expect([refused.code, count()]).toEqual([1, before]);
    expect(refused.out).toContain(file);
    const reset = await run("db-reset", ["--yes"]);
    expect(reset.code).toBe(0);
    expect(reset.out).toContain("users");
    expect(count()).toBe(before - 1);
  }, 30_000);

  test("production is never reset", async () => {
    await run("db-migrate");
    await run("db-seed");
    const before = count();
    const key = { kty: "OKP", crv: "Ed25519", kid: "k", ...(await ed25519()) };
    const { code, err } = await run("db-reset", ["--yes"], {
      NODE_ENV: "production",
      JWT_KEYS: JSON.stringify({ keys: [key] }),
      PUBLIC_URL: "https://api.test.dev",
    });
    expect([code, count()]).toEqual([1, before]);
    expect(err).toContain("refuses in production");
  }, 20_000);
});

/** None of them may answer with the engine's own words about a table. */
describe.each(["sqlite", "pglite", "postgres"] as const)("a database that was never migrated, on %s", (engine) => {
  test.each([
    ["jobs", ["list"], 1],
    ["db-seed", [], 1],
    ["audit", ["export"], 2],
    ["policy", ["explain", "--action", "list", "--subject", "User"], 2],
  ] as const)(
    "%s %p says so in one line, and how it is mended",
    async (script, args, code) => {
      if (engine === "postgres" && !(await serverAnswers())) return;
      const store = await openStore(engine);
      const ended = await run(script, [...args], { DATABASE_URL: store.url });
      await store.remove();
      expect([ended.code, ended.out]).toEqual([code, ""]);
      expect(ended.err).toMatch(/^The .* is not migrated: run `bun run db:migrate`\.\n$/);
    },
    20_000,
  );
});

async function ed25519() {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const { x, d } = await crypto.subtle.exportKey("jwk", pair.privateKey);
  return { x, d };
}

describe.skipIf(nodes.length === 0)("D1", () => {
  test("wrangler applies the written migrations once, and the schema is then as the code expects it", async () => {
    const project = join(folder.path, "worker");
    mkdirSync(join(project, "d1"), { recursive: true });
    for (const { name, sql } of d1Migrations()) writeFileSync(join(project, "d1", `${name}.sql`), sql);
    const binding = { binding: "DB", database_name: "test", database_id: "test", migrations_dir: "d1" };
    writeFileSync(
      join(project, "wrangler.json"),
      JSON.stringify({ name: "test", compatibility_date: "2026-10-01", d1_databases: [binding] }),
    );
    const apply = () =>
      runCommand([nodes.at(-1)?.path ?? "", wrangler, ...["d1", "migrations", "apply", "test", "--local"]], {
        cwd: project,
        env: { CI: "true", WRANGLER_SEND_METRICS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false" },
      });
    const first = await apply();
    expect(first.out + first.err).toContain("0000_initial.sql");
    expect(first.code).toBe(0);
    expect((await apply()).out).toContain("No migrations to apply");

    const state = join(project, ".wrangler/state/v3/d1");
    const found = readdirSync(state, { recursive: true }).map(String);
    const path = found.find((name) => name.endsWith(".sqlite") && !name.endsWith("metadata.sqlite"));
    const db = createSqliteDb("sqlite", createFileClient(openBunSqlite(join(state, path ?? ""))));
    expect(await checkSchema(db)).toEqual([]);
    expect(await schemaVersion(db)).toBe(expectedVersion("sqlite"));
    await db.close();
  }, 180_000);
});
