/**
 * A PostgreSQL server through postgres.js. Every text is prepared by the server once a connection. Values are sent and read as text
 * where postgres.js would make a Date or encode JSON a second time.
 *
 * postgres.js waits for an answer for ever. A network that swallows answers would so use up the pool: queries older than the server's
 * own statement timeout plus a margin show that the connection is dead, and the whole pool is replaced.
 */
import postgres, { type Options, type Sql } from "postgres";
import { unavailable } from "../../core/error.ts";
import type { PgClient, PgQuery } from "./pg.ts";

export interface PostgresOptions {
  url: string;
  poolSize: number;
  /** The server ends a statement that runs longer, in milliseconds. */
  statementTimeoutMs: number;
  /** A connection that is not used this long is closed, in seconds. */
  idleTimeoutS: number;
}

const asText = (value: string) => value;
const TYPES = {
  json: { to: 114, from: [114], serialize: asText, parse: JSON.parse },
  jsonb: { to: 3802, from: [3802], serialize: asText, parse: JSON.parse },
  instant: { to: 1184, from: [1184, 1114, 1082], serialize: asText, parse: asText },
};

/** How much longer than the statement timeout the client waits before it gives a connection up. */
const MARGIN_MS = 1000;
const SWEEP_MS = 500;
/** Any number that all replicas of a service agree on. */
const MIGRATION_LOCK = 7_273_284_842;

export function createPostgres(options: PostgresOptions): PgClient {
  const open = () => postgres(options.url, settings(options));
  const patience = options.statementTimeoutMs + MARGIN_MS;
  const waiting = new Set<{ since: number; give: (error: Error) => void }>();
  let sql = open();
  let closed = false;

  function replacePool() {
    const old = sql;
    sql = open();
    for (const entry of waiting) entry.give(unavailable("The database does not answer."));
    waiting.clear();
    old.end({ timeout: 0 }).catch(() => {});
  }

  const sweep = setInterval(() => {
    const [oldest] = waiting;
    if (oldest && Date.now() - oldest.since > patience) replacePool();
  }, SWEEP_MS);
  (sweep as { unref?: () => void }).unref?.();

  function bounded<T>(work: Promise<T>): Promise<T> {
    if (closed) return Promise.reject(unavailable("The server is stopping."));
    return new Promise<T>((resolve, reject) => {
      const entry = { since: Date.now(), give: reject };
      waiting.add(entry);
      work.then(
        (value) => {
          waiting.delete(entry);
          resolve(value);
        },
        (error) => {
          waiting.delete(entry);
          reject(error);
        },
      );
    });
  }

  const send = (on: Pick<Sql, "unsafe">, { text, params }: PgQuery) =>
    on.unsafe(text, params as never[], { prepare: true }).values() as Promise<unknown[][]>;

  return {
    query: (query) => bounded(send(sql, query)),
    flight: (queries) => bounded(sql.begin((tx) => queries.map((query) => send(tx, query))) as Promise<unknown[][][]>),
    exclusively: (work) =>
      sql.begin(async (tx) => {
        // Migrations may take longer than a request may.
        await tx.unsafe("set local statement_timeout = 0");
        await tx.unsafe("select pg_advisory_xact_lock($1)", [MIGRATION_LOCK as never]);
        return work(async (text, params) => {
          if (params) return (await tx.unsafe(text, params as never[]).values()) as unknown[][];
          await tx.unsafe(text).simple();
          return [];
        });
      }) as never,
    async close() {
      closed = true;
      clearInterval(sweep);
      await sql.end({ timeout: 5 });
    },
  };
}

function settings({ poolSize, statementTimeoutMs, idleTimeoutS }: PostgresOptions): Options<Record<string, never>> {
  return {
    max: poolSize,
    idle_timeout: idleTimeoutS,
    connect_timeout: 4,
    max_lifetime: 60 * 60,
    fetch_types: false,
    onnotice: () => {},
    types: TYPES as never,
    connection: {
      application_name: "hearth",
      TimeZone: "UTC",
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: 2 * statementTimeoutMs,
    },
  };
}
