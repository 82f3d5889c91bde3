/** What the declared constraints are called, so that each engine's way of naming a broken one leads to the same error. */
import { toSnakeCase } from "drizzle-orm/casing";
import { Column } from "drizzle-orm/column";
import { is } from "drizzle-orm/entity";
import { IndexedColumn, type PgTable, getTableConfig as pgConfig } from "drizzle-orm/pg-core";
import type { SQL } from "drizzle-orm/sql";
import { type SQLiteTable, getTableConfig as sqliteConfig } from "drizzle-orm/sqlite-core";
import { getTableName, type Table } from "drizzle-orm/table";
import { getTableColumns } from "drizzle-orm/utils";
import type { Tables } from "../../../db/tables.ts";

export interface Constraint {
  kind: "unique" | "reference" | "check" | "required";
  /** Its name in the schema (`users_email_unique`); for `required` the table and column (`users.email`). Empty when the engine told none. */
  name: string;
  /** The columns that it is about, as TypeScript names them. */
  columns: string[];
}

/** The private cause of a `conflict`: which constraint the change would have broken. */
export class ConstraintError extends Error {
  override readonly name = "ConstraintError";
  readonly constraint: Constraint;
  constructor(constraint: Constraint) {
    super(`${constraint.kind} constraint ${constraint.name}`);
    this.constraint = constraint;
  }
}

export interface Constraints {
  byName(name: string): Constraint | undefined;
  /** For SQLite, which tells only columns: `table.column, table.column`. */
  byColumns(columns: string): Constraint | undefined;
  /** A column that must not be empty, by its names in SQL. */
  required(table: string, column: string): Constraint;
}

export function constraintsOf(tables: Tables): Constraints {
  const names = new Map<string, Constraint>();
  const columns = new Map<string, Constraint>();
  const keys = new Map<string, string>();
  for (const table of Object.values(tables) as unknown as Table[]) {
    const at = getTableName(table);
    for (const [key, column] of Object.entries(getTableColumns(table))) keys.set(`${at}.${sqlName(column)}`, key);
    const add = (kind: Constraint["kind"], name: string, on: string[]) => {
      const constraint: Constraint = { kind, name, columns: on.map((n) => keys.get(`${at}.${n}`) ?? n) };
      names.set(name, constraint);
      if (kind === "unique") columns.set(on.map((n) => `${at}.${n}`).join(", "), constraint);
    };
    const { indexes, foreignKeys, checks } = declaredOf(table);
    add("unique", `${at}_pkey`, ["id"]);
    for (const { config } of indexes) {
      if (config.unique && config.name) add("unique", config.name, namesOf(config.columns));
    }
    for (const key of foreignKeys) {
      const { columns: from, foreignColumns: to, foreignTable } = key.reference();
      const own = namesOf(from);
      add("reference", [at, ...own, getTableName(foreignTable), ...namesOf(to), "fk"].join("_"), own);
    }
    for (const { name, value } of checks) add("check", name, namesOf(value.queryChunks));
  }
  return {
    byName: (name) => names.get(name),
    byColumns: (list) => columns.get(list),
    required(table, column) {
      const name = `${table}.${column}`;
      return { kind: "required", name, columns: [keys.get(name) ?? column] };
    },
  };
}

/** The kit's one naming strategy (`casing`); Drizzle's own cache of names asks for a table, which an index's columns do not carry. */
const sqlName = (column: { name: string }) => toSnakeCase(column.name);

/** Of the columns, or the parts of an expression, those that are columns. */
const namesOf = (parts: readonly unknown[]): string[] =>
  parts.flatMap((part) => (is(part, Column) || is(part, IndexedColumn) ? [sqlName(part as { name: string })] : []));

interface Declared {
  indexes: { config: { name?: string; unique: boolean; columns: unknown[] } }[];
  foreignKeys: { reference(): { columns: Column[]; foreignColumns: Column[]; foreignTable: Table } }[];
  checks: { name: string; value: SQL }[];
}

function declaredOf(table: Table): Declared {
  const pg = Symbol.for("drizzle:PgInlineForeignKeys") in table;
  return (pg ? pgConfig(table as PgTable) : sqliteConfig(table as SQLiteTable)) as unknown as Declared;
}
