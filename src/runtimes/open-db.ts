import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { CannotStart } from "../core/cannot-start.ts";
import type { Env } from "../env.ts";
import { createPgDb, type PgClient } from "../ports/db/pg.ts";
import type { Db } from "../ports/db/port.ts";
import type { PostgresOptions } from "../ports/db/postgres-options.ts";
import type { SqliteFile } from "../ports/db/sqlite-file.ts";

/** The database drivers of a runtime. That of PostgreSQL servers is loaded when it is needed. */
export interface Drivers {
  openSqlite: (path: string) => SqliteFile;
  openPostgres: () => Promise<(options: PostgresOptions) => PgClient>;
}

/** Opens the engine that the environment chose, and loads no other. What is on a disk may refuse itself; a server is asked later. */
export async function openDb(database: Env["database"], drivers: Drivers): Promise<Db> {
  try {
    return await open(database, drivers);
  } catch (error) {
    if (error instanceof CannotStart) throw error;
    const { message, name, errno } = error as Error & { errno?: number };
    throw new CannotStart(`DATABASE_URL: ${nameOf(database)} cannot be opened: ${message || `${name} ${errno}`}`);
  }
}

/**
 * The same database, by a way of its own for the leases of jobs: what handlers ask may keep every connection of the pool busy for longer than
 * a lease lasts. The engines in this process have one way alone.
 */
export const openLeases = async (database: Env["database"], drivers: Drivers, db: Db): Promise<Db> =>
  db.engine === "postgres" ? open({ ...database, poolSize: 1, replicas: [] }, drivers) : db;

/** The database as a person knows it, without a password. */
export function nameOf({ url }: Env["database"]): string {
  if (url.engine === "pglite") return url.dir === null ? "PGlite in memory" : `the PGlite directory ${url.dir}`;
  if (url.engine === "sqlite") return `the SQLite file ${url.file}`;
  if (url.engine === "d1") return "D1";
  const { host, pathname } = new URL(url.url.reveal());
  return `the PostgreSQL database ${pathname.slice(1)} at ${host}`;
}

async function open(database: Env["database"], { openSqlite, openPostgres }: Drivers): Promise<Db> {
  const { url } = database;
  if (url.engine === "pglite") {
    const { createPglite } = await import("../ports/db/pglite.ts");
    return createPgDb({ engine: "pglite", primary: await createPglite({ dir: url.dir, openLock: openSqlite }) });
  }
  if (url.engine === "sqlite") {
    const [{ createSqliteDb }, { createFileClient }] = await Promise.all([
      import("../ports/db/sqlite.ts"),
      import("../ports/db/sqlite-file.ts"),
    ]);
    if (url.file !== ":memory:") mkdirSync(dirname(url.file), { recursive: true });
    return createSqliteDb("sqlite", createFileClient(openSqlite(url.file)));
  }
  if (url.engine !== "postgres") throw new Error("D1 is reached by a binding, on Workers alone");
  const connect = await openPostgres();
  const reach = (secret: { reveal(): string }) =>
    connect({
      url: secret.reveal(),
      poolSize: database.poolSize,
      statementTimeoutMs: database.statementTimeoutMs,
      idleTimeoutS: database.idleTimeoutS,
    });
  return createPgDb({ engine: "postgres", primary: reach(url.url), replicas: database.replicas.map(reach) });
}
