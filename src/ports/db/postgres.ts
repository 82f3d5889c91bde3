/**
 * A PostgreSQL server through postgres.js. Every text is prepared by the server once a connection. Values are sent and read as text
 * where postgres.js would make a Date or encode JSON a second time.
 */
import postgres, { type Options, type Sql } from "postgres";
import { patient } from "./patience.ts";
import type { PgClient, PgQuery } from "./pg.ts";
import { alone, type LoneConnection } from "./postgres-alone.ts";
import { CONNECT_TIMEOUT_S, MAX_LIFETIME_S, type PostgresOptions, sessionSettings } from "./postgres-options.ts";

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
    exclusively: (work) => alone((onclose) => openAlone(options, onclose), work),
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

function openAlone(options: PostgresOptions, onclose: () => void): LoneConnection {
  const sql = postgres(options.url, { ...settings(options), max: 1, idle_timeout: 0, max_lifetime: null, onclose });
  return {
    query: (text, params) => sql.unsafe(text, params as never[]).values() as Promise<unknown[][]>,
    script: (text) => sql.unsafe(text).simple(),
    close: () => sql.end({ timeout: 1 }),
  };
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
