import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
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

/** Opens the engine that the environment chose, and loads no other. */
export async function openDb(database: Env["database"], { openSqlite, openPostgres }: Drivers): Promise<Db> {
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
  const open = (secret: { reveal(): string }) =>
    connect({
      url: secret.reveal(),
      poolSize: database.poolSize,
      statementTimeoutMs: database.statementTimeoutMs,
      idleTimeoutS: database.idleTimeoutS,
    });
  return createPgDb({ engine: "postgres", primary: open(url.url), replicas: database.replicas.map(open) });
}
