/** What the database commands begin with: the environment, as the server reads it, and its database. */
import process from "node:process";
import { type Env, EnvError, parseEnv } from "../src/env.ts";
import { isMigrated } from "../src/ports/db/migrate.ts";
import type { Db } from "../src/ports/db/port.ts";
import { bunDrivers } from "../src/runtimes/bun-drivers.ts";
import { readOwnEnvironment } from "../src/runtimes/dotenv.ts";
import { nameOf, openDb } from "../src/runtimes/open-db.ts";

export function readEnv(): Env {
  try {
    return parseEnv(readOwnEnvironment(process.cwd()));
  } catch (error) {
    if (!(error instanceof EnvError)) throw error;
    return fail(error.message);
  }
}

interface DbOptions {
  /** For a command that can do with a database that has no tables yet. */
  empty?: boolean;
  /** With what the process ends when the command cannot be done. Default: 1. */
  exitCode?: 1 | 2;
}

/** Runs the command on the database, closes it, and ends the process with a message instead of a stack when it cannot be done. */
export async function withDb(env: Env, command: (db: Db) => Promise<void>, options: DbOptions = {}): Promise<void> {
  const work = async (db: Db) => {
    if (!options.empty) await refuseEmpty(db, nameOf(env.database), "run `bun run db:migrate`");
    await command(db);
  };
  try {
    const db = await openDb(env.database, bunDrivers);
    await work(db).finally(() => db.close());
  } catch (error) {
    fail(error instanceof Error ? causesOf(error) : String(error), options.exitCode);
  }
}

/** Before a statement fails on a table that is not there, and before anything is printed. */
export async function refuseEmpty(db: Db, name: string, remedy: string): Promise<void> {
  if (!(await isMigrated(db))) throw new Error(`${name[0]?.toUpperCase()}${name.slice(1)} is not migrated: ${remedy}.`);
}

export function fail(message: string, exitCode = 1): never {
  console.error(message);
  process.exit(exitCode);
}

export const causesOf = (error: Error): string =>
  error.cause instanceof Error ? `${error.message}\n  ${causesOf(error.cause)}` : error.message;
