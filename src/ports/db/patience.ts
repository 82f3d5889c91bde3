/**
 * A pool of PostgreSQL connections that is not waited for for ever.
 *
 * A client waits for an answer as long as its connection seems to be there. A network that swallows answers would so use up the pool. The
 * server ends a statement at its own timeout, so whoever has waited longer than that and a margin is told `unavailable`; and a pool in
 * which that happened while nothing at all was answered, or in which an answer is missing for twice that long, holds dead connections and
 * is replaced.
 */
import { unref } from "../../core/clock.ts";
import { unavailable } from "../../core/error.ts";
import type { PgClient, PgQuery } from "./pg.ts";

/** A client library's pool, as a driver wraps it. */
export interface Pool {
  send(query: PgQuery): Promise<unknown[][]>;
  /** All of the queries in one transaction, sent without waiting for each other. */
  transaction(queries: PgQuery[]): Promise<unknown[][][]>;
  /** Ends its connections; work that is under way may go on for so many seconds. */
  end(seconds: number): Promise<void>;
}

interface PatienceOptions {
  open: () => Pool;
  /** The server ends a statement that runs longer, in milliseconds. */
  statementTimeoutMs: number;
  /** Whether a fault came from the server, which then is there. */
  fromServer: (error: unknown) => boolean;
}

/** How much longer than the statement timeout an answer is waited for. */
const MARGIN_MS = 1000;
/** Waiting is counted in ticks, which a stalled process does not count either. */
const TICK_MS = 500;

interface Waiting {
  since: number;
  /** How many answers there had been when it began. */
  answers: number;
  giveUp: () => void;
}

export function patient({
  open,
  statementTimeoutMs,
  fromServer,
}: PatienceOptions): Pick<PgClient, "query" | "flight" | "close"> {
  const patience = Math.ceil((statementTimeoutMs + MARGIN_MS) / TICK_MS);
  const waiting = new Set<Waiting>();
  /** Opened by the first query: Bun takes 10 ms to load its client, and the port is open by then. */
  let pool: Pool | null = null;
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
    const old = pool;
    pool = null;
    for (const entry of waiting) entry.giveUp();
    waiting.clear();
    old?.end(1).catch(() => {});
  }

  const timer = unref(setInterval(sweep, TICK_MS));

  function bounded<T>(start: (on: Pool) => Promise<T>): Promise<T> {
    if (closed) return Promise.reject(unavailable("The server is stopping."));
    return new Promise<T>((resolve, reject) => {
      pool ??= open();
      const giveUp = () => reject(unavailable("The database does not answer."));
      const entry: Waiting = { since: tick, answers, giveUp };
      waiting.add(entry);
      start(pool).then(
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
    query: (query) => bounded((on) => on.send(query)),
    flight: (queries) => bounded((on) => on.transaction(queries)),
    async close() {
      closed = true;
      clearInterval(timer);
      // A client may wait for the last query of a lost connection for ever, so without work in flight nothing is waited for.
      await pool?.end(waiting.size > 0 ? 5 : 0);
    },
  };
}
