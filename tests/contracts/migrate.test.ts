import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { embeddedSql } from "../../db/sql.gen.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { checkSchema, expectedVersion, migrate, type SqlFiles, schemaVersion } from "../../src/ports/db/migrate.ts";
import { createPgDb } from "../../src/ports/db/pg.ts";
import { createPglite } from "../../src/ports/db/pglite.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { createSqliteDb } from "../../src/ports/db/sqlite.ts";
import { createFileClient } from "../../src/ports/db/sqlite-file.ts";
import { temporaryFolder } from "../helpers/databases.ts";
import { engines } from "../helpers/engines.ts";
import { ownDatabase, serverAnswers } from "../helpers/postgres.ts";

const hasServer = await serverAnswers();
const folder = temporaryFolder();
afterAll(folder.remove);

/** A process that opens the database and migrates it; its lines, as they come. */
function peer(engine: string, where: string) {
  const child = Bun.spawn(["bun", `${import.meta.dir}/migrate.peer.ts`, engine, where], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const lines = new Response(child.stdout).body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    child,
    async line(n: number): Promise<string> {
      while (text.split("\n").length <= n + 1) {
        const { done, value } = (await lines?.read()) ?? { done: true, value: "" };
        if (done) throw new Error(`it ended: ${text}${await new Response(child.stderr).text()}`);
        text += value;
      }
      return text.split("\n")[n] as string;
    },
  };
}

const everything = (dialect: "pg" | "sqlite") => [
  ...embeddedSql[dialect].migrations.map(({ name }) => `migration/${name}`),
  ...embeddedSql[dialect].objects.map(({ name }) => `object/${name}`),
];

describe("two processes that migrate one empty database at the same time", () => {
  test.skipIf(!hasServer)(
    "on PostgreSQL: one applies, the other waits and applies nothing",
    async () => {
      const own = await ownDatabase();
      // Held until both wait, so that neither is simply faster.
      await own.sql`select pg_advisory_lock(7273284842)`;
      const peers = [peer("postgres", own.url), peer("postgres", own.url)];
      const waiting = async () => {
        const [row] = await own.sql`
          select count(*)::int as n from pg_locks where locktype = 'advisory' and not granted
            and database = (select oid from pg_database where datname = current_database())`;
        return row?.n as number;
      };
      while ((await waiting()) < 2) {}
      await own.sql`select pg_advisory_unlock(7273284842)`;
      const applied = await Promise.all(peers.map((p) => p.line(1)));
      expect(applied.map((text) => JSON.parse(text)).sort((a, b) => b.length - a.length)).toEqual([
        everything("pg"),
        [],
      ]);
      await Promise.all(peers.map(({ child }) => child.exited));
      await own.drop();
    },
    30_000,
  );

  test("on an SQLite file: one applies, the other waits and applies nothing", async () => {
    const path = join(folder.path, "both.db");
    const holder = openBunSqlite(path);
    holder.exec("pragma journal_mode = wal");
    holder.exec("begin immediate");
    const peers = [peer("sqlite", path), peer("sqlite", path)];
    for (const p of peers) expect(await p.line(0)).toBe("open");
    holder.exec("rollback");
    holder.close();
    const applied = await Promise.all(peers.map((p) => p.line(1)));
    expect(applied.map((text) => JSON.parse(text)).sort((a, b) => b.length - a.length)).toEqual([
      everything("sqlite"),
      [],
    ]);
  }, 30_000);
});

/** Changes by hand, as an operator would: past the port's statements, and outside of a migration. */
const byHand = (db: Db, sql: string) => db.exclusively((run) => run(sql));

for (const { name, open } of engines) {
  describe(`migrations on ${name}`, () => {
    const on = (work: (db: Db) => Promise<void>) => async () => {
      const { db, done } = await open();
      await work(db).finally(done);
    };

    test(
      "a second run applies nothing, and the schema is as the code expects it",
      on(async (db) => {
        expect(await migrate(db)).toEqual({ applied: [], drift: [] });
        expect(await checkSchema(db)).toEqual([]);
        expect(await schemaVersion(db)).toBe(expectedVersion(db.dialect));
      }),
    );

    test(
      "an object is applied again when its content changes, and a new migration once",
      on(async (db) => {
        const { migrations, objects } = embeddedSql[db.dialect];
        const [last, ...others] = objects.toReversed();
        const changed: SqlFiles = {
          migrations: [...migrations, { name: "9999_more", sql: "create table more (id text)" }],
          objects: [...others.toReversed(), { name: last?.name ?? "", sql: `-- said differently\n${last?.sql}` }],
        };
        expect(await checkSchema(db, changed)).toEqual([
          "migration/9999_more is not applied",
          `object/${last?.name} is not applied`,
        ]);
        expect(await migrate(db, changed)).toEqual({
          applied: ["migration/9999_more", `object/${last?.name}`],
          drift: [],
        });
        expect(await migrate(db, changed)).toEqual({ applied: [], drift: [] });
        expect(await schemaVersion(db)).toBe("9999_more");
      }),
    );

    test(
      "what was dropped or changed by hand is reported, and mended",
      on(async (db) => {
        const pg = db.dialect === "pg";
        await byHand(db, pg ? "drop trigger users_touch on users" : "drop trigger users_touch");
        await byHand(db, "drop view user_overview; create view user_overview as select id from users");
        if (pg) {
          await byHand(
            db,
            "create or replace function hearth_append_only() returns trigger language plpgsql as 'begin return new; end'",
          );
          await byHand(db, "alter table audit_entries disable trigger audit_entries_append_only");
        }
        const expected = [
          ...(pg ? ["function hearth_append_only was changed", "trigger audit_entries_append_only was changed"] : []),
          "trigger users_touch is missing",
          "view user_overview was changed",
        ];
        expect((await checkSchema(db)).sort()).toEqual(expected);
        expect((await migrate(db)).drift.sort()).toEqual(expected);
        expect(await checkSchema(db)).toEqual([]);
      }),
    );

    test(
      "a migration that was applied and then changed is refused, and nothing is applied",
      on(async (db) => {
        const { migrations, objects } = embeddedSql[db.dialect];
        const [first, ...rest] = migrations;
        const edited = [{ name: first?.name ?? "", sql: `${first?.sql}\n-- edited` }, ...rest];
        const added = { name: "9999_more", sql: "create table more (id text)" };
        await expect(migrate(db, { migrations: [...edited, added], objects })).rejects.toThrow("only go forward");
        expect(await checkSchema(db)).toEqual([]);
      }),
    );

    test(
      "a migration that fails leaves nothing behind",
      on(async (db) => {
        const { migrations, objects } = embeddedSql[db.dialect];
        const broken = { name: "0001_half", sql: "create table half (id text);--> statement-breakpoint\nnonsense" };
        await expect(migrate(db, { migrations: [...migrations, broken], objects })).rejects.toThrow();
        const fixed = { name: "0001_half", sql: "create table half (id text)" };
        expect((await migrate(db, { migrations: [...migrations, fixed], objects })).applied).toEqual([
          "migration/0001_half",
        ]);
      }),
    );
  });
}

test("a check of an empty database reports everything and creates nothing", async () => {
  const file = openBunSqlite(":memory:");
  const db = createSqliteDb("sqlite", createFileClient(file));
  expect(await checkSchema(db)).toEqual(everything("sqlite").map((name) => `${name} is not applied`));
  expect(file.rows("select name from sqlite_master", [])).toEqual([]);
  await db.close();
});

test("on SQLite the table of rules is made anew for rules of keys, and what is in it stays as it was", async () => {
  const db = createSqliteDb("sqlite", createFileClient(openBunSqlite(":memory:")));
  const { migrations, objects } = embeddedSql.sqlite;
  const at = migrations.findIndex(({ name }) => name.endsWith("_api_key_rules"));
  await migrate(db, { migrations: migrations.slice(0, at), objects });
  const insert = (id: string, scope: string) =>
    db.exclusively((run) =>
      run(
        `insert into policy_rules (id, scope_type, scope_id, subject, actions, conditions, inverted, priority, version)
          values ('${id}', '${scope}', 'user', 'User', '["read"]', '{"name":"Ann"}', 1, 5, 3)`,
      ),
    );
  const all = (from: string) => db.exclusively((run) => run(`select * from ${from} order by 1`, []));
  await insert("rule_1", "role");
  await expect(insert("rule_2", "apiKey")).rejects.toThrow();
  const [rules, entries] = [await all("policy_rules"), await all("audit_entries")];
  expect((await migrate(db)).drift).toEqual([]);
  expect([await all("policy_rules"), await all("audit_entries")]).toEqual([rules, entries]);
  await insert("rule_2", "apiKey");
  await expect(insert("rule_3", "session")).rejects.toThrow();
  await byHand(db, "update policy_rules set note = 'x' where id = 'rule_1'");
  expect((await all("audit_entries")).length).toBe(entries.length + 2);
  const versions = await db.exclusively((run) => run("select id, version from policy_rules order by 1", []));
  expect(versions).toEqual([
    ["rule_1", 4],
    ["rule_2", 3],
  ]);
  const indexes = await all("sqlite_master where type = 'index' and tbl_name = 'policy_rules' and sql is not null");
  expect(indexes).toHaveLength(3);
  expect(await checkSchema(db)).toEqual([]);
  await db.close();
});

test("lists and reads wait while the schema is being migrated", async () => {
  const db = createSqliteDb("sqlite", createFileClient(openBunSqlite(":memory:")));
  const migrated = migrate(db);
  await db.atomic((tx) => [tx.insert(db.tables.users).values({ id: "u", email: "e", name: "n", role: "user" })]);
  expect((await migrated).applied).toEqual(everything("sqlite"));
  await db.close();
});

describe("a PGlite directory", () => {
  const refusal = "is in use by another process";
  const open = (dir: string) => createPglite({ dir, openLock: openBunSqlite });

  test("is refused to a second opener in the same process", async () => {
    const dir = join(folder.path, "same");
    const first = await open(dir);
    const error = await open(dir).catch((e) => e);
    expect([error.name, error.message]).toEqual(["CannotStart", expect.stringContaining(refusal)]);
    await first.close();
    await (await open(dir)).close();
  }, 30_000);

  test("is refused to a second process, and is free again when the first was killed", async () => {
    const dir = join(folder.path, "killed");
    const first = peer("pglite", dir);
    expect(JSON.parse(await first.line(1))).toEqual(everything("pg"));
    await expect(open(dir)).rejects.toThrow(refusal);
    const second = peer("pglite", dir);
    await expect(second.line(0)).rejects.toThrow(refusal);
    first.child.kill("SIGKILL");
    await first.child.exited;
    const db = createPgDb({ engine: "pglite", primary: await open(dir) });
    expect(await migrate(db)).toEqual({ applied: [], drift: [] });
    await db.close();
  }, 30_000);

  test("is refused where other files are, or a file in its place, and these stay however often it is tried", async () => {
    const dir = join(folder.path, "documents");
    mkdirSync(dir);
    const theirs = join(dir, "theirs.txt");
    writeFileSync(theirs, "not ours");
    for (const place of [dir, theirs, dir, theirs]) {
      const error = await open(place).catch((e) => e);
      expect([error.name, error.message]).toEqual(["CannotStart", expect.stringContaining(place)]);
      expect(existsSync(`${place}.unfinished`)).toBe(false);
    }
    // As another version may have left it.
    writeFileSync(`${theirs}.unfinished`, "");
    await expect(open(theirs)).rejects.toThrow(theirs);
    expect(readFileSync(theirs, "utf8")).toBe("not ours");
    rmSync(dir, { recursive: true });
  }, 30_000);

  test("that a first start left half made is made again", async () => {
    const dir = join(folder.path, "half");
    mkdirSync(dir);
    writeFileSync(join(dir, "PG_VERSION"), "18\n");
    writeFileSync(`${dir}.unfinished`, "");
    await (await open(dir)).close();
    expect(existsSync(`${dir}.unfinished`)).toBe(false);
    rmSync(dir, { recursive: true });
  }, 30_000);
});
