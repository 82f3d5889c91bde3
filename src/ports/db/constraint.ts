/** What the declared constraints are called, so that each engine's way of naming a broken one leads to the same error. */

import { toSnakeCase } from "drizzle-orm/casing";
import { type PgTable, getTableConfig as pgConfig } from "drizzle-orm/pg-core";
import { type SQLiteTable, getTableConfig as sqliteConfig } from "drizzle-orm/sqlite-core";
import { getTableName, type Table } from "drizzle-orm/table";
import { getTableColumns } from "drizzle-orm/utils";
import type { Tables } from "../../../db/tables.ts";

export interface Constraint {
  kind: "unique" | "reference" | "check" | "required";
  /** Its name in the schema (`users_email_unique`); for `required` the column. */
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

/** Unique indexes by name and, for SQLite, which tells only columns, by `table.column, table.column`. */
export interface Constraints {
  byName(name: string): Constraint | undefined;
  byColumns(columns: string): Constraint | undefined;
}

interface IndexLike {
  config: { name?: string; unique: boolean; columns: { name: string }[] };
}

export function constraintsOf(tables: Tables): Constraints {
  const names = new Map<string, Constraint>();
  const columns = new Map<string, Constraint>();
  // The kit's one naming strategy (`casing`); index columns carry no table, which Drizzle's own cache asks for.
  const sqlName = (column: { name: string }) => toSnakeCase(column.name);
  for (const table of Object.values(tables) as unknown as Table[]) {
    const keys = new Map(Object.entries(getTableColumns(table)).map(([key, column]) => [sqlName(column), key]));
    for (const index of indexesOf(table)) {
      const { name, unique, columns: on } = index.config;
      if (!unique || !name) continue;
      const sqlNames = on.map(sqlName);
      const constraint: Constraint = { kind: "unique", name, columns: sqlNames.map((n) => keys.get(n) ?? n) };
      names.set(name, constraint);
      columns.set(sqlNames.map((n) => `${getTableName(table)}.${n}`).join(", "), constraint);
    }
    const id: Constraint = { kind: "unique", name: `${getTableName(table)}_pkey`, columns: ["id"] };
    names.set(id.name, id);
    columns.set(`${getTableName(table)}.id`, id);
  }
  return { byName: (name) => names.get(name), byColumns: (list) => columns.get(list) };
}

function indexesOf(table: Table): IndexLike[] {
  const pg = Symbol.for("drizzle:PgInlineForeignKeys") in table;
  return (pg
    ? pgConfig(table as PgTable).indexes
    : sqliteConfig(table as SQLiteTable).indexes) as unknown as IndexLike[];
}
