/**
 * The column kit: the few terms in which every table is declared, once. PostgreSQL's types are the canonical ones; the SQLite kit has
 * the same shape and is cast to it in one place (`sqliteKit`), which the parity test makes safe.
 *
 * SQL names are snake_case and derived from the camelCase keys by Drizzle's `casing`, set to the same value wherever a dialect is made.
 */
import { type ColumnBuilderBase, type SQL, sql } from "drizzle-orm";
import * as pg from "drizzle-orm/pg-core";
import * as sqlite from "drizzle-orm/sqlite-core";
import { type Instant, toInstant } from "../src/core/clock.ts";

export const casing = "snake_case";

/**
 * PostgreSQL prints `2026-01-31 09:30:00.5+00`, where its driver has not made an instant of it already, and `…T09:30:00.5+00:00` inside json. Sessions ask for UTC; a pooler in between may leave
 * them in another zone.
 */
export function instantFromPg(text: string): Instant {
  if (text.endsWith("Z")) return text;
  if (!text.endsWith("+00") || text.charCodeAt(4) !== 45 || text.length > 26) return slowInstant(text);
  // What rows have: `…:00+00`, or with one to three digits behind the point, because PostgreSQL drops zeros at the end.
  const millis = text.length === 22 ? ".000" : text.slice(19, -3) + (ZEROS[26 - text.length] ?? "");
  return `${text.slice(0, 10)}T${text.slice(11, 19)}${millis}Z`;
}

const ZEROS = ["", "0", "00"];

/** Inside json, in another zone, or in a year that has not four digits. */
function slowInstant(text: string): Instant {
  if (!/\+00(:00)?$/.test(text) || text.charCodeAt(0) === 45 || text.length > 35) return toInstant(Date.parse(text));
  const end = text.lastIndexOf("+");
  const dot = text.indexOf(".", 19);
  const millis = dot === -1 ? "000" : text.slice(dot + 1, end).padEnd(3, "0");
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${millis}Z`;
}

const parseJson = (value: unknown) => (typeof value === "string" ? JSON.parse(value) : value);

const pgInstant = pg.customType<{ data: Instant; driverData: string }>({
  dataType: () => "timestamp (3) with time zone",
  fromDriver: instantFromPg,
});
// Drivers hand jsonb parsed and take it as text: PostgreSQL clients are told not to encode it a second time.
const pgJson = pg.customType<{ data: unknown; driverData: unknown }>({
  dataType: () => "jsonb",
  toDriver: (value) => JSON.stringify(value),
});
const sqliteJson = sqlite.customType<{ data: unknown; driverData: string }>({
  dataType: () => "text",
  toDriver: (value) => JSON.stringify(value),
  fromDriver: parseJson,
});

/** Marks a column whose value never leaves the process: not in an output schema, not in an audit entry, not in a log. */
function secret<B extends ColumnBuilderBase>(builder: B): B {
  (builder as unknown as { config: { secret?: true } }).config.secret = true;
  return builder;
}

/**
 * Text that is compared by its bytes, as SQLite and JavaScript do it: the collation of a database would order it otherwise, and asks its library for
 * each comparison on the way down an index (docs/decisions/text-by-bytes.md).
 */
function pgText() {
  const builder = pg.text();
  const internal = builder as unknown as { build(table: unknown): pg.AnyPgColumn };
  const build = internal.build.bind(builder);
  internal.build = (table) => Object.assign(build(table), { getSQLType: () => 'text collate "C"' });
  return builder;
}

const pgNow = sql`now()`;
const sqliteNow = sql`(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))`;

export const pgKit = {
  table: pg.pgTable,
  text: pgText,
  int: () => pg.integer(),
  /** Eight bytes, as JavaScript's own numbers. */
  real: () => pg.doublePrecision(),
  bool: () => pg.boolean(),
  instant: () => pgInstant(),
  json: <T>() => pgJson().$type<T>(),
  secret,
  index: pg.index,
  unique: pg.uniqueIndex,
  check: pg.check,
  /** Columns of a table whose rows change. */
  base: () => ({
    id: pgText().primaryKey(),
    createdAt: pgInstant().notNull().default(pgNow),
    updatedAt: pgInstant().notNull().default(pgNow),
    version: pg.integer().notNull().default(1),
  }),
  /** Columns of a table whose rows are written once. */
  entry: () => ({ id: pgText().primaryKey(), createdAt: pgInstant().notNull().default(pgNow) }),
};

export type Kit = typeof pgKit;

const sqliteTerms = {
  table: sqlite.sqliteTable,
  text: () => sqlite.text(),
  int: () => sqlite.integer(),
  real: () => sqlite.real(),
  bool: () => sqlite.integer({ mode: "boolean" }),
  instant: () => sqlite.text(),
  json: () => sqliteJson(),
  secret,
  index: sqlite.index,
  unique: sqlite.uniqueIndex,
  check: sqlite.check,
  base: () => ({
    id: sqlite.text().primaryKey(),
    createdAt: sqlite.text().notNull().default(sqliteNow),
    updatedAt: sqlite.text().notNull().default(sqliteNow),
    version: sqlite.integer().notNull().default(1),
  }),
  entry: () => ({ id: sqlite.text().primaryKey(), createdAt: sqlite.text().notNull().default(sqliteNow) }),
};

/** The one cast between the dialects. Its guarantee: same keys (checked here), same table shapes (checked by tests/unit/parity). */
export const sqliteKit = sqliteTerms satisfies Record<keyof Kit, unknown> as unknown as Kit;

/** `role in ('admin', 'user')`, for a check constraint that mirrors a TypeScript list. */
export const oneOf = (column: pg.AnyPgColumn, values: readonly string[]): SQL =>
  sql`${column} in (${sql.raw(values.map((value) => `'${value}'`).join(", "))})`;
