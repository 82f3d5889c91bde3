/**
 * `db:migrate`: brings the database of the environment up to date.
 * `db:migrate --check`: changes nothing, and ends with 1 when something is missing or was changed by hand.
 * `db:migrate --d1`: writes dist/d1, the folder that wrangler migrates D1 from.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import { d1Migrations } from "../src/ports/db/d1-migrations.ts";
import { checkSchema, migrate } from "../src/ports/db/migrate.ts";
import { nameOf } from "../src/runtimes/open-db.ts";
import { flag, plainArgs } from "./args.ts";
import { readEnv, withDb } from "./open.ts";

const HELP = `Brings the database that DATABASE_URL names up to date.

Usage: bun run db:migrate [--check | --d1]

  --check  Changes nothing, and ends with 1 when something is missing or was changed by hand
  --d1     Writes dist/d1, the folder that wrangler migrates D1 from
  --help   This`;

const { values: given } = plainArgs("db:migrate", HELP, { check: flag, d1: flag });
if (given.d1) writeD1();
else await run(given.check === true);

async function run(check: boolean): Promise<void> {
  const env = readEnv();
  const name = nameOf(env.database);
  await withDb(
    env,
    async (db) => {
      if (check) {
        const faults = await checkSchema(db);
        console.log([faults.length > 0 ? `Not up to date: ${name}.` : `Up to date: ${name}.`, ...faults].join("\n  "));
        if (faults.length > 0) process.exitCode = 1;
        return;
      }
      const { applied, drift } = await migrate(db);
      if (drift.length > 0) console.log([`Changed by hand, and put back: ${name}.`, ...drift].join("\n  "));
      console.log([applied.length > 0 ? `Applied to ${name}:` : `Up to date: ${name}.`, ...applied].join("\n  "));
    },
    { empty: true },
  );
}

function writeD1(): void {
  const folder = new URL("../dist/d1/", import.meta.url);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { name, sql } of d1Migrations()) writeFileSync(new URL(`${name}.sql`, folder), sql);
  console.log(
    "Wrote dist/d1. Apply it with `wrangler d1 migrations apply hearth --local`, or `--remote` for the deployed database;\n" +
      "wrangler.toml names the folder as `migrations_dir`, and wrangler remembers which files it has applied.",
  );
}
