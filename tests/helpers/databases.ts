/** Each engine of the Db port, opened and migrated for one test. It is used under Bun and under Node. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { embeddedSql } from "../../db/sql.gen.ts";
import { createD1Client, type D1Database } from "../../src/ports/db/d1.ts";
import { migrate } from "../../src/ports/db/migrate.ts";
import { createPgDb, type PgClient } from "../../src/ports/db/pg.ts";
import { createPglite } from "../../src/ports/db/pglite.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { createPostgres } from "../../src/ports/db/postgres.ts";
import type { PostgresOptions } from "../../src/ports/db/postgres-options.ts";
import { createSqliteDb } from "../../src/ports/db/sqlite.ts";
import { createFileClient, type SqliteFile } from "../../src/ports/db/sqlite-file.ts";
import { type OwnDatabase, ownDatabase, poolOf } from "./postgres.ts";

export interface Opened {
  db: Db;
  /** Closes it, and takes away what it left. */
  done(): Promise<void>;
}

export type OpenSqlite = (path: string) => SqliteFile;

export function temporaryFolder() {
  const path = mkdtempSync(join(tmpdir(), "hearth-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

async function migrated(db: Db, clean?: () => void | Promise<void>): Promise<Opened> {
  await migrate(db);
  return {
    db,
    async done() {
      await db.close();
      await clean?.();
    },
  };
}

export async function openPglite(where: "memory" | "disk", openLock: OpenSqlite): Promise<Opened> {
  const folder = where === "disk" ? temporaryFolder() : null;
  const dir = folder && join(folder.path, "data");
  return migrated(createPgDb({ engine: "pglite", primary: await createPglite({ dir, openLock }) }), folder?.remove);
}

/** Makes a driver of a PostgreSQL server. */
export type PostgresDriver = (options: PostgresOptions) => PgClient;

/** A database of a server, with what else reaches it. */
export type OpenedPostgres = Opened & Pick<OwnDatabase, "url" | "sql">;

export async function openPostgres(driver: PostgresDriver = createPostgres): Promise<OpenedPostgres> {
  const { url, sql, drop } = await ownDatabase();
  const opened = await migrated(createPgDb({ engine: "postgres", primary: driver(poolOf(url)) }), drop);
  return { ...opened, url, sql };
}

export async function openSqlite(where: "memory" | "file", open: OpenSqlite): Promise<Opened> {
  const folder = where === "file" ? temporaryFolder() : null;
  const client = createFileClient(open(folder ? join(folder.path, "test.db") : ":memory:"));
  return migrated(createSqliteDb("sqlite", client), folder?.remove);
}

/** On workerd, in memory. Needs Node. */
export async function openD1(): Promise<Opened> {
  process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
  process.env.WRANGLER_SEND_METRICS = "false";
  const { getPlatformProxy } = await import("wrangler");
  const folder = temporaryFolder();
  const configPath = join(folder.path, "wrangler.json");
  const binding = { binding: "DB", database_name: "contract", database_id: "contract" };
  writeFileSync(
    configPath,
    JSON.stringify({ name: "contract", compatibility_date: "2026-10-01", d1_databases: [binding] }),
  );
  const proxy = await getPlatformProxy<{ DB: D1Database }>({ configPath, persist: false });
  const { migrations, objects } = embeddedSql.sqlite;
  for (const { sql } of [...migrations, ...objects]) await proxy.env.DB.prepare(sql).bind().raw();
  return {
    db: createSqliteDb("d1", createD1Client(proxy.env.DB)),
    async done() {
      await proxy.dispose();
      folder.remove();
    },
  };
}
