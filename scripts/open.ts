/** What the database commands begin with: the environment, as the server reads it, and its database. */
import process from "node:process";
import { type Env, EnvError, parseEnv } from "../src/env.ts";
import type { Db } from "../src/ports/db/port.ts";
import { bunDrivers } from "../src/runtimes/bun-drivers.ts";
import { readOwnEnvironment } from "../src/runtimes/dotenv.ts";
import { openDb } from "../src/runtimes/open-db.ts";

export function readEnv(): Env {
  try {
    return parseEnv(readOwnEnvironment(process.cwd()));
  } catch (error) {
    if (!(error instanceof EnvError)) throw error;
    return fail(error.message);
  }
}

/** Runs the command on the database, closes it, and ends the process with a message instead of a stack when it cannot be done. */
export async function withDb(env: Env, command: (db: Db) => Promise<void>): Promise<void> {
  try {
    const db = await openDb(env.database, bunDrivers);
    await command(db).finally(() => db.close());
  } catch (error) {
    fail(error instanceof Error ? causesOf(error) : String(error));
  }
}

/** The database as a person knows it, without a password. */
export function nameOf({ url }: Env["database"]): string {
  if (url.engine === "pglite") return url.dir === null ? "PGlite in memory" : `the PGlite directory ${url.dir}`;
  if (url.engine === "sqlite") return `the SQLite file ${url.file}`;
  if (url.engine === "d1") return "D1";
  const { host, pathname } = new URL(url.url.reveal());
  return `the PostgreSQL database ${pathname.slice(1)} at ${host}`;
}

export function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

export const causesOf = (error: Error): string =>
  error.cause instanceof Error ? `${error.message}\n  ${causesOf(error.cause)}` : error.message;
