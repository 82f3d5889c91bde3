/**
 * The database of a Worker. What stands above the connection (tables, prepared texts, plans) is made once an isolate. A D1 binding
 * serves every request; a socket belongs to the request that opened it, so PostgreSQL is reached by a client for each request, which
 * the one Db finds in the request's own scope. See docs/decisions/workers.md.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { unavailable } from "../core/error.ts";
import type { Env } from "../env.ts";
import { createD1Client } from "../ports/db/d1.ts";
import { createPgDb, type PgClient } from "../ports/db/pg.ts";
import type { Db } from "../ports/db/port.ts";
import { createPostgres } from "../ports/db/postgres.ts";
import { createSqliteDb, type SqliteClient } from "../ports/db/sqlite.ts";
import type { WorkerEnv } from "./worker-env.gen.ts";

/** The platform lets a request hold six connections: one is the leases', and one is left for what is not the database. */
const MAX_CONNECTIONS = 4;
/** The platform lets a request send D1 1,000 statements. What is under way by then needs the rest, and has to be recorded. */
const MOST_SENT = 700;

interface Scope {
  client: PgClient | null;
  leases: PgClient | null;
  over: boolean;
  /** How many statements were sent to D1. */
  sent: number;
  /** What goes on after the answer, and may use the database. */
  pending: Promise<unknown>[];
}

export interface WorkerDb {
  db: Db;
  /** The same by a connection of its own. With a few connections for many jobs, the lease of their worker would run out behind their statements. */
  leases: Db;
  /** Runs the work of one request. `later` gets what is to be finished after the answer, the giving back of connections last. */
  scoped<T>(work: () => T | Promise<T>, later: (promise: Promise<void>) => void): Promise<T>;
  /** Whether the current request has sent so much that it should begin nothing more. */
  isSpent(): boolean;
  /** Work of the current request that goes on after its answer. */
  background(work: Promise<unknown>): void;
}

/** What fails in PostgreSQL or in its driver has a code. A socket of workerd fails with a bare Error, whose words change with the version. */
function lost(error: unknown): never {
  const isBare = error instanceof Error && error.name === "Error" && !("code" in error);
  throw isBare ? unavailable("The database does not answer.", error) : error;
}

export function openWorkerDb({ database }: Env, { DB }: WorkerEnv): WorkerDb {
  const scopes = new AsyncLocalStorage<Scope>();
  const isSpent = () => (scopes.getStore()?.sent ?? 0) >= MOST_SENT;
  const background = (work: Promise<unknown>) => void scopes.getStore()?.pending.push(work.catch(() => {}));

  async function scoped<T>(work: () => T | Promise<T>, later: (promise: Promise<void>) => void): Promise<T> {
    const scope: Scope = { client: null, leases: null, over: false, sent: 0, pending: [] };
    try {
      return await scopes.run(scope, work);
    } finally {
      if (scope.pending.length > 0 || scope.client || scope.leases) later(end(scope));
      else scope.over = true;
    }
  }

  const { url } = database;
  if (url.engine === "d1" && DB) {
    const count = (statements: number) => {
      const scope = scopes.getStore();
      if (scope) scope.sent += statements;
    };
    const db = createSqliteDb("d1", counted(createD1Client(DB), count));
    return { db, leases: db, scoped, isSpent, background };
  }
  if (url.engine !== "postgres") throw new Error(`${url.engine} cannot be reached from a Worker`);
  const { poolSize, statementTimeoutMs, idleTimeoutS } = database;
  const options = { url: url.url.reveal(), statementTimeoutMs, idleTimeoutS };
  /** Opened by a request's first statement: many requests have none. */
  function client(which: "client" | "leases", most: number): PgClient {
    const scope = scopes.getStore();
    if (!scope || scope.over) throw unavailable("The request is over.");
    scope[which] ??= createPostgres({ ...options, poolSize: Math.min(poolSize, most) });
    return scope[which];
  }

  const dbBy = (which: "client" | "leases", most: number) => {
    const primary: PgClient = {
      query: async (query) => client(which, most).query(query).catch(lost),
      flight: async (queries) => client(which, most).flight(queries).catch(lost),
      exclusively: () =>
        Promise.reject(new Error("Workers do not migrate: `bun run db:migrate` does, before a deployment")),
      async close() {},
    };
    return createPgDb({ engine: "postgres", primary });
  };
  return { db: dbBy("client", MAX_CONNECTIONS), leases: dbBy("leases", 1), scoped, isSpent, background };
}

const counted = (client: SqliteClient, count: (statements: number) => void): SqliteClient => ({
  ...client,
  all(text, params) {
    count(1);
    return client.all(text, params);
  },
  batch(steps) {
    count(steps.length);
    return client.batch(steps);
  },
});

async function end(scope: Scope): Promise<void> {
  // There may come to be more of it on the way.
  for (const work of scope.pending) await work;
  scope.over = true;
  await Promise.all([scope.client?.close(), scope.leases?.close()]);
}
