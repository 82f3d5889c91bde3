/**
 * A PostgreSQL server through postgres.js. Every text is prepared by the server once a connection. Values are sent and read as text
 * where postgres.js would make a Date or encode JSON a second time.
 *
 * postgres.js waits for an answer for ever. A network that swallows answers would so use up the pool. The server ends a statement at its
 * own timeout, so whoever has waited longer than that and a margin is told `unavailable`; and a pool in which that happened while nothing
 * at all was answered, or in which an answer is missing for twice that long, holds dead connections and is replaced.
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
  // As in a folded list and in SQLite: a count is a number, exact up to 2^53.
  int8: { to: 20, from: [20], serialize: String, parse: Number },
};

/** How much longer than the statement timeout an answer is waited for. */
const MARGIN_MS = 1000;
/** Waiting is counted in ticks, which a stalled process does not count either. */
const TICK_MS = 500;
/** Any number that all replicas of a service agree on. */
const MIGRATION_LOCK = 7_273_284_842;

interface Waiting {
  since: number;
  /** How many answers there had been when it began. */
  answers: number;
  giveUp: () => void;
}

export function createPostgres(options: PostgresOptions): PgClient {
  const open = () => postgres(options.url, settings(options));
  const patience = Math.ceil((options.statementTimeoutMs + MARGIN_MS) / TICK_MS);
  const waiting = new Set<Waiting>();
  let sql = open();
  let tick = 0;
  let answers = 0;
  let closed = false;

  function sweep() {
    tick++;
    const [oldest] = waiting;
    if (!oldest) return;
    const age = tick - oldest.since;
    for (const entry of waiting) {
      if (tick - entry.since <= patience) break;
      entry.giveUp();
    }
    if ((age > patience && oldest.answers === answers) || age > 2 * patience) replacePool();
  }

  function replacePool() {
    const old = sql;
    sql = open();
    for (const entry of waiting) entry.giveUp();
    waiting.clear();
    old.end({ timeout: 1 }).catch(() => {});
  }

  const timer = setInterval(sweep, TICK_MS);
  (timer as { unref?: () => void }).unref?.();

  function bounded<T>(start: () => Promise<T>): Promise<T> {
    if (closed) return Promise.reject(unavailable("The server is stopping."));
    return new Promise<T>((resolve, reject) => {
      const giveUp = () => reject(unavailable("The database does not answer."));
      const entry: Waiting = { since: tick, answers, giveUp };
      waiting.add(entry);
      start().then(
        (value) => {
          answers++;
          waiting.delete(entry);
          resolve(value);
        },
        (error) => {
          if (fromServer(error)) answers++;
          waiting.delete(entry);
          reject(error);
        },
      );
    });
  }

  return {
    query: (query) => bounded(() => send(sql, query)),
    flight: (queries) => bounded(() => transaction(sql, queries)),
    exclusively: (work) => alone(options, work),
    async close() {
      closed = true;
      clearInterval(timer);
      // Where a connection was lost postgres.js waits for its last query for ever, so without work in flight nothing is waited for.
      await sql.end({ timeout: waiting.size > 0 ? 5 : 0 });
    },
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
    connect_timeout: 4,
    // The default waits up to 20 s, in which a server that is back already would not be asked.
    backoff: 0.25 as never,
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
