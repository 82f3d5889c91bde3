/**
 * The database, as verbs see it: prepared statements to read with, and one way to write, `atomic`.
 *
 * - A read goes to a replica when there is one, unless the caller says `fresh`: a verb that decides on what it reads, or answers with
 *   what it has just written, is fresh.
 * - `atomic` takes the whole list of statements before anything is sent. All of them commit, or none. `must(statement)` undoes the list
 *   with `conflict` when that statement touches no row; it is how a version is guarded, on every engine.
 * - The statements of a list take effect in its order, and a later one sees what an earlier one did.
 * - A broken constraint is an AppError `conflict` whose `cause` is a `ConstraintError` with the constraint's name.
 * - A database that cannot be reached, or does not answer in time, is an AppError `unavailable`.
 */
import type { PgRemoteDatabase } from "drizzle-orm/pg-proxy";
import type { SQL } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";

export type Dialect = "pg" | "sqlite";
export type Engine = "pglite" | "postgres" | "sqlite" | "d1";

/** Where statements are written: Drizzle's builders, in PostgreSQL's types. `db.transaction` is deliberately not here. */
export type Builders = Pick<
  PgRemoteDatabase,
  "select" | "selectDistinct" | "insert" | "update" | "delete" | "with" | "$with"
>;

/** What Drizzle's builders have in common: they print themselves as SQL and know what they return. */
export interface Builder {
  getSQL(): SQL;
  readonly _: object;
}

/** The rows that a builder answers with; none without `returning`. */
export type RowsOf<B> = B extends { _: { readonly returning: infer R } }
  ? R extends undefined
    ? never[]
    : R[]
  : B extends { _: { readonly result: infer R } }
    ? R
    : never[];

/** A statement whose text is final and whose values are bound by name. */
export interface Bound<R = unknown[]> {
  readonly compiled: Compiled;
  readonly values: Record<string, unknown>;
  /** Whether listeners of `committed` are not told of it: they would only be told of what they do themselves. */
  readonly quiet?: true;
  readonly rows?: R;
}

/** A builder, printed once. `fields` say how a row of plain values, in order, becomes an object. */
export interface Compiled {
  /** The same for the same text. */
  readonly id: number;
  readonly sql: SQL;
  readonly text: string;
  /** One function a parameter of `text`: from the bound values to what is sent. */
  readonly slots: readonly ((values: Record<string, unknown>) => unknown)[];
  readonly fields: readonly Field[];
  /** The table that a mutation changes; null for a read. */
  readonly target: string | null;
  /** What it does to its table: `adds` is a plain insert of values; an upsert and an insert from a select are `changes`. */
  readonly effect: "reads" | "adds" | "changes" | "removes";
}

export interface Field {
  readonly key: string;
  readonly decode: ((value: unknown) => unknown) | null;
}

export type Statement = Builder | Bound;
export interface Must<S extends Statement = Statement> {
  readonly must: S;
}
export type Item = Statement | Must | null;

/** The rows of each item of an atomic list, in its order. `null` items are left out of the work and answer no rows. */
export type RowsOfList<L extends readonly Item[]> = { -readonly [K in keyof L]: RowsOfItem<L[K]> };
type RowsOfItem<I> =
  I extends Must<infer S> ? RowsOfItem<S> : I extends Bound<infer R> ? R : I extends Builder ? RowsOf<I> : never[];

/** A statement that listeners of `committed` are not told of. */
export const quietly = <B extends Bound>(bound: B): B => ({ ...bound, quiet: true });

/** The whole list is undone with `conflict` unless this statement touches at least one row. */
export const must = <S extends Statement>(statement: S): Must<S> => ({ must: statement });

/**
 * Prints a statement once, and again only for another `build`: it is a constant of its module, or kept by its caller. Calling the result
 * binds values to its `sql.placeholder`s.
 */
export type Prepare = <B extends Builder>(
  build: (q: Builders, tables: Tables, dialect: Dialect) => B,
) => (values?: Record<string, unknown>) => Bound<RowsOf<B>>;

/** What the statements of an atomic list are made with. */
export interface Tx extends Builders {
  readonly prepare: Prepare;
}

export interface Reads {
  /** Whether the read has to see every committed write, which a replica cannot promise. */
  fresh: boolean;
}

/**
 * Gets the SQL names of the tables, each once, and whether a notice went with the commit. It reports its own faults: nobody waits for it,
 * and what it throws is dropped.
 */
export type CommitListener = (tables: readonly string[], noticed: boolean) => void;

/** What PostgreSQL tells those who listen to the channel when a transaction has committed, and only then. */
export interface Notice {
  channel: string;
  payload: string;
}

/** Gets the SQL names of the tables that a list writes to, before it is sent. null: nothing is to be told with its commit. */
export type NoticeSource = (tables: readonly string[]) => Notice | null;

export interface Db {
  readonly engine: Engine;
  readonly dialect: Dialect;
  readonly tables: Tables;
  readonly prepare: Prepare;
  /** Runs one read; what changes rows is refused. */
  all<S extends Statement>(statement: S, reads: Reads): Promise<RowsOfItem<S>>;
  /** Runs a list of statements, all or nothing. */
  atomic<const L extends readonly Item[]>(build: (tx: Tx) => L): Promise<RowsOfList<L>>;
  /**
   * Tells of each list of this process that has committed, which tables its statements write to, before `atomic` resolves. It is told
   * also where no row was touched, and never of a list that failed. Returns how to stop listening.
   */
  committed(listener: CommitListener): () => void;
  /**
   * Has the commit of a list tell something itself, which spares whoever hears it a round trip. There is one source at most, and it is
   * asked where the engine is a server of PostgreSQL, nowhere else. Commits that tell something wait for each other: they are to be few.
   * Returns how to end it.
   */
  notices(source: NoticeSource): () => void;
  /** Answers when the primary answers a trivial query. */
  ping(): Promise<void>;
  /** Runs `work` in one transaction that no other process runs `work` beside. For migrations alone. */
  exclusively<T>(work: (run: RunScript) => Promise<T>): Promise<T>;
  /** Closes connections, and gives back what the driver holds. */
  close(): Promise<void>;
}

/** Plain SQL for migrations: rows come back as arrays of plain values. */
export type RunScript = (text: string, params?: unknown[]) => Promise<unknown[][]>;

/** What a driver cannot do, as data; the README's matrix and the start-up checks read it. */
export interface DbCapabilities {
  /** Several processes may use the same database at once. */
  shared: boolean;
  /** Reads can be sent to replicas. */
  replicas: boolean;
  /** Migrations are applied by the server itself at start. */
  migratesItself: boolean;
  /** A broken foreign key is told by its name. SQLite says only that there was one. */
  namesReferences: boolean;
  /** A change by SQL beside the verbs is in the audit trail with the role that logged in; elsewhere it is there without an actor's id. */
  namesRoles: boolean;
  /** The most values that one statement may bind. */
  maxValues: number;
}

export const capabilities: Record<Engine, DbCapabilities> = {
  pglite: {
    shared: false,
    replicas: false,
    migratesItself: true,
    namesReferences: true,
    namesRoles: true,
    maxValues: 65_535,
  },
  postgres: {
    shared: true,
    replicas: true,
    migratesItself: true,
    namesReferences: true,
    namesRoles: true,
    maxValues: 65_535,
  },
  sqlite: {
    shared: true,
    replicas: false,
    migratesItself: true,
    namesReferences: false,
    namesRoles: false,
    maxValues: 32_766,
  },
  d1: {
    shared: true,
    replicas: false,
    migratesItself: false,
    namesReferences: false,
    namesRoles: false,
    maxValues: 100,
  },
};
