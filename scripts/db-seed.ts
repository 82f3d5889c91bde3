/**
 * `db:seed`: writes what the environment asks for (ADMIN_EMAIL, ADMIN_PASSWORD, SEED), as the server does at start.
 * `db:seed --d1 --remote [--env <name>]`: makes the administrator alone, in the D1 database of wrangler.toml; `--local` in the one of
 * `wrangler dev`. The settings have to be good enough for production.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EnvError, parseEnv } from "../src/env.ts";
import { nameOf } from "../src/runtimes/open-db.ts";
import { flag, plainArgs, text } from "./args.ts";
import { adminSql } from "./d1-seed.ts";
import { fail, readEnv, withDb } from "./open.ts";
import { seedAndTell } from "./seed.ts";
import { runWrangler } from "./wrangler.ts";

const HELP = `Writes what ADMIN_EMAIL, ADMIN_PASSWORD and SEED ask for, as the server does at its start.

Usage: bun run db:seed [options]

  --d1    The administrator alone, in the D1 database of wrangler.toml: --remote (--env <name>), or
          --local (--persist-to <folder>)
  --help  This`;

const flags = { d1: flag, local: flag, remote: flag };
const { values: options } = plainArgs("db:seed", HELP, { ...flags, env: text, "persist-to": text });
const env = readEnv();
if (options.d1) await seedD1();
else await withDb(env, (db) => seedAndTell(env, db, `Seeded ${nameOf(env.database)}.`));

async function seedD1(): Promise<void> {
  const { admin } = env;
  if (options.local === options.remote) fail("Say which database: --remote, or --local.");
  if (!admin.email) fail("Set ADMIN_EMAIL.");
  refuseWeak(admin.email, admin.password?.reveal());
  const { sql, password } = await adminSql(admin);
  const folder = mkdtempSync(join(tmpdir(), "hearth-seed-"));
  const file = join(folder, "admin.sql");
  writeFileSync(file, sql, { mode: 0o600 });
  const place = options.remote ? ["--remote"] : ["--local", ...persist(options["persist-to"])];
  const done = runWrangler(["d1", "execute", "DB", ...place, `--env=${options.env ?? ""}`, "--yes", "--file", file]);
  rmSync(folder, { recursive: true });
  if (!done) fail("The administrator was not made.");
  const told = password ? `, with the password ${password} (shown this once)` : "";
  console.log(
    `If there was no account of ${admin.email}, it is an administrator now${told}. Otherwise nothing changed.`,
  );
}

/** By the rules of production, whatever the mode of this command. */
function refuseWeak(email: string, password: string | undefined): void {
  try {
    parseEnv({ NODE_ENV: "production", ADMIN_EMAIL: email, ADMIN_PASSWORD: password });
  } catch (error) {
    const faults = error instanceof EnvError ? error.faults.filter(({ name }) => name.startsWith("ADMIN_")) : [];
    if (faults.length > 0) fail(new EnvError(faults).message);
  }
}

function persist(folder: string | undefined): string[] {
  return folder === undefined ? [] : ["--persist-to", folder];
}
