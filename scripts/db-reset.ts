/**
 * `db:reset [--yes]`: drops everything in the database of the environment, then migrates and seeds it. It says what it will drop, and asks
 * unless it is told `--yes`. It refuses in production.
 */
import process from "node:process";
import { createInterface } from "node:readline/promises";
import { migrate } from "../src/ports/db/migrate.ts";
import type { Dialect, RunScript } from "../src/ports/db/port.ts";
import { nameOf } from "../src/runtimes/open-db.ts";
import { flag, plainArgs } from "./args.ts";
import { fail, readEnv, withDb } from "./open.ts";
import { seedAndTell } from "./seed.ts";

const HELP = `Drops everything in the database that DATABASE_URL names, then migrates and seeds it. It refuses in production.

Usage: bun run db:reset [--yes]

  --yes   Without asking first
  --help  This`;

const { values: given } = plainArgs("db:reset", HELP, { yes: flag });
const env = readEnv();
if (env.mode === "production") fail("db:reset refuses in production: it would drop every table.");
const name = nameOf(env.database);

const TABLES: Record<Dialect, string> = {
  pg: "select tablename from pg_tables where schemaname = current_schema() order by 1",
  sqlite: "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by 1",
};

const drop: Record<Dialect, (run: RunScript) => Promise<void>> = {
  async pg(run) {
    const [[schema]] = (await run("select quote_ident(current_schema())", [])) as [[string]];
    await run(`drop schema ${schema} cascade; create schema ${schema}`);
  },
  async sqlite(run) {
    // Tables refer to each other: what is left at COMMIT is checked, and nothing is left.
    await run("pragma defer_foreign_keys = on");
    const kinds = ["view", "trigger", "table"];
    for (const kind of kinds) {
      const all = await run(`select name from sqlite_master where type = '${kind}' and name not like 'sqlite_%'`, []);
      for (const [object] of all) await run(`drop ${kind} "${object}"`);
    }
  },
};

await withDb(
  env,
  async (db) => {
    const tables = await db.exclusively(async (run) =>
      (await run(TABLES[db.dialect], [])).map(([table]) => String(table)),
    );
    console.log(`This drops everything in ${name}: ${tables.join(", ") || "it is empty"}.`);
    if (!given.yes && !(await agreed())) fail("Nothing was dropped.");
    await db.exclusively((run) => drop[db.dialect](run));
    await migrate(db);
    await seedAndTell(env, db, `Made anew: ${name}.`);
  },
  { empty: true },
);

async function agreed(): Promise<boolean> {
  if (!process.stdin.isTTY) return fail("Nothing was dropped: pass --yes where nobody can be asked.");
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question("Go on? (y/N) ");
  terminal.close();
  return answer.trim().toLowerCase() === "y";
}
