/** A PostgreSQL database of a test's own on the server at TEST_DATABASE_URL, which is created for it and dropped after it. */
import process from "node:process";
import postgres from "postgres";

const serverUrl = process.env.TEST_DATABASE_URL ?? "postgres://postgres@127.0.0.1:5432/postgres";

export interface OwnDatabase {
  url: string;
  /** Runs SQL as an operator would, on the database itself. */
  sql: postgres.Sql;
  drop(): Promise<void>;
}

/** Whether a server answers. In CI it has to. */
export async function serverAnswers(): Promise<boolean> {
  const sql = postgres(serverUrl, { max: 1, connect_timeout: 2, onnotice: () => {} });
  try {
    await sql`select 1`;
    return true;
  } catch (error) {
    if (process.env.CI === "true")
      throw new Error(`No PostgreSQL server answers at TEST_DATABASE_URL`, { cause: error });
    console.warn(`PostgreSQL is left out: no server answers at ${new URL(serverUrl).host} (TEST_DATABASE_URL).`);
    return false;
  } finally {
    await sql.end({ timeout: 0 });
  }
}

/** The address of a database on the server, whether it is there or not. */
export function databaseUrl(name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** It orders text as a dictionary does, where the server can (PostgreSQL 15, with ICU): no answer may depend on that. */
const OF_A_LANGUAGE = "template template0 locale_provider icu icu_locale 'en-US'";

export async function ownDatabase(): Promise<OwnDatabase> {
  const name = `hearth_test_${process.pid}_${Math.random().toString(36).slice(2, 10)}`;
  const server = postgres(serverUrl, { max: 1, onnotice: () => {} });
  await server.unsafe(`create database ${name} ${OF_A_LANGUAGE}`).catch(() => server.unsafe(`create database ${name}`));
  const url = databaseUrl(name);
  const sql = postgres(url, { max: 1, onnotice: () => {}, connection: { application_name: "operator" } });
  return {
    url,
    sql,
    async drop() {
      await sql.end({ timeout: 1 });
      await server.unsafe(`drop database if exists ${name} with (force)`);
      await server.end({ timeout: 1 });
    },
  };
}

/** A server that answers to the url, with the pool settings that tests share. */
export const poolOf = (url: string) => ({ url, poolSize: 5, statementTimeoutMs: 5000, idleTimeoutS: 20 });
