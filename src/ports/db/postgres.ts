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

/** A connection, and how many answers it owes. */
interface Lane {
  sql: Sql;
  owed: number;
  paid: <T>(answer: T) => T;
  failed: (error: unknown) => never;
}

/**
 * A pool of pools of one connection each. The library's own pool (3.4) hands queries out in a turn that does not look at who is busy
 * (github.com/porsager/postgres/issues/747), and while it is never wholly at rest its list of connections only grows, and is searched with
 * each query: on Node that was a fifth of the CPU time of a busy server.
 */
function open(options: PostgresOptions) {
  const lanes: Lane[] = [];

  /** Of those that owe least the first, so that what is not needed comes to rest; one more while all are busy. On Workers a pool is one request's. */
  function take(): Lane {
    let lane: Lane | undefined;
    for (const one of lanes) if (!lane || one.owed < lane.owed) lane = one;
    if (!lane || (lane.owed > 0 && lanes.length < options.poolSize)) {
      lane = laneTo(options);
      lanes.push(lane);
    }
    lane.owed++;
    return lane;
  }

  return {
    send: (query: PgQuery) => {
      const lane = take();
      return send(lane.sql, query).then(lane.paid, lane.failed);
    },
    transaction: (queries: PgQuery[]) => {
      const lane = take();
      return transaction(lane.sql, queries).then(lane.paid, lane.failed);
    },
    end: async (timeout: number) => {
      await Promise.all(lanes.map(({ sql }) => sql.end({ timeout })));
    },
  };
}

function laneTo(options: PostgresOptions): Lane {
  const lane: Lane = {
    sql: postgres(options.url, { ...settings(options), max: 1 }),
    owed: 0,
    paid: (answer) => {
      lane.owed--;
      return answer;
    },
    failed: (error) => {
      lane.owed--;
      throw error;
    },
  };
  return lane;
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

function settings({ statementTimeoutMs, idleTimeoutS }: PostgresOptions): Options<Record<string, never>> {
  return {
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
