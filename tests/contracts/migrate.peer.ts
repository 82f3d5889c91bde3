/** A process of its own that opens a database (`postgres <url>`, `sqlite <file>`, `pglite <dir>`), says so, and migrates it. */
import process from "node:process";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { migrate } from "../../src/ports/db/migrate.ts";
import { createPgDb } from "../../src/ports/db/pg.ts";
import { createPglite } from "../../src/ports/db/pglite.ts";
import { createPostgres } from "../../src/ports/db/postgres.ts";
import { createSqliteDb } from "../../src/ports/db/sqlite.ts";
import { createFileClient } from "../../src/ports/db/sqlite-file.ts";
import { poolOf } from "../helpers/postgres.ts";

const [, , engine, where = ""] = process.argv;
const db =
  engine === "postgres"
    ? createPgDb({ engine, primary: createPostgres(poolOf(where)) })
    : engine === "sqlite"
      ? createSqliteDb("sqlite", createFileClient(openBunSqlite(where)))
      : createPgDb({ engine: "pglite", primary: await createPglite({ dir: where, openLock: openBunSqlite }) });
console.log("open");
console.log(JSON.stringify((await migrate(db)).applied));
// The parent ends the process that holds a PGlite directory.
if (engine === "pglite") await new Promise(() => {});
await db.close();
