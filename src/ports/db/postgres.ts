/**
 * A PostgreSQL server through postgres.js. Every text is prepared by the server once a connection. Values are sent and read as text
 * where postgres.js would make a Date or encode JSON a second time.
 */
import postgres, { type Options, type Sql } from "postgres";
import { unavailable } from "../../core/error.ts";
import { patient } from "./patience.ts";
import type { PgClient, PgQuery } from "./pg.ts";
import {
  CONNECT_TIMEOUT_S,
  MAX_LIFETIME_S,
  MIGRATION_LOCK,
  type PostgresOptions,
  sessionSettings,
} from "./postgres-options.ts";

const asText = (value: string) => value;
const TYPES = {
  json: { to: 114, from: [114], serialize: asText, parse: JSON.parse },
  jsonb: { to: 3802, from: [3802], serialize: asText, parse: JSON.parse },
  instant: { to: 1184, from: [1184, 1114, 1082], serialize: asText, parse: asText },
  // As in a folded list and in SQLite: a count is a number, exact up to 2^53.
  int8: { to: 20, from: [20], serialize: String, parse: Number },
};

export function createPostgres(options: PostgresOptions): PgClient {
  return {
    ...patient({ open: () => open(options), statementTimeoutMs: options.statementTimeoutMs, fromServer }),
    exclusively: (work) => alone(options, work),
  };
}

function open(options: PostgresOptions) {
  const sql = postgres(options.url, settings(options));
  return {
    send: (query: PgQuery) => send(sql, query),
    transaction: (queries: PgQuery[]) => transaction(sql, queries),
    end: (timeout: number) => sql.end({ timeout }),
  };
}

const fromServer = (error: unknown) => error instanceof postgres.PostgresError;

// Without `simple: false` postgres.js sends a text without values unprepared.
const send = (on: Pick<Sql, "unsafe">, { text, params }: PgQuery) =>
  on.unsafe(text, params as never[], { prepare: true, simple: false } as never).values() as Promise<unknown[][]>;

/**
 * When the connection is lost, `begin` rejects by itself. What it runs must not reject then, or postgres.js (3.4) sends a `rollback` into
 * the closed socket, which throws where nobody can catch it.
 */
const transaction = (sql: Sql, queries: PgQuery[]) =>
  sql.begin((tx) =>
    Promise.all(queries.map((query) => send(tx, query))).catch((error) =>
      fromServer(error) ? Promise.reject(error) : new Promise<never>(() => {}),
    ),
  ) as Promise<unknown[][][]>;

/** On a connection of its own, which ends with the work and takes with it what was not committed. */
async function alone<T>(options: PostgresOptions, work: Parameters<PgClient["exclusively"]>[0]): Promise<T> {
  let lost = false;
  const onclose = () => {
    lost = true;
  };
  const sql = postgres(options.url, { ...settings(options), max: 1, idle_timeout: 0, max_lifetime: null, onclose });
  const run = async (text: string, params?: unknown[]) => {
    // postgres.js would connect again and go on without the lock and outside of the transaction.
    if (lost) throw unavailable("The connection to the database was lost.");
    if (params) return (await sql.unsafe(text, params as never[]).values()) as unknown[][];
    await sql.unsafe(text).simple();
    return [];
  };
  try {
    await run("begin");
    // Migrations may take longer than a request may, and so may waiting for those of another process.
    await run("set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0");
    await run("select pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    const answer = await work(run);
    await run("commit");
    return answer as T;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

function settings({ poolSize, statementTimeoutMs, idleTimeoutS }: PostgresOptions): Options<Record<string, never>> {
  return {
    max: poolSize,
    idle_timeout: idleTimeoutS,
    connect_timeout: CONNECT_TIMEOUT_S,
    // The default waits up to 20 s, in which a server that is back already would not be asked.
    backoff: 0.25 as never,
    max_lifetime: MAX_LIFETIME_S,
    fetch_types: false,
    onnotice: () => {},
    types: TYPES as never,
    connection: sessionSettings(statementTimeoutMs),
  };
}
