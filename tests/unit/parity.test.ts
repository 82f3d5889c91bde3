import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import {
  generateDrizzleJson,
  generateMigration,
  generateSQLiteDrizzleJson,
  generateSQLiteMigration,
} from "drizzle-kit/api";
import { type Column, getTableColumns, getTableName, type SQL, type Table } from "drizzle-orm";
import { getTableConfig as pgConfig } from "drizzle-orm/pg-core";
import { getTableConfig as sqliteConfig } from "drizzle-orm/sqlite-core";
import { casing, pgKit, sqliteKit } from "../../db/kit.ts";
import * as pgSchema from "../../db/schema.pg.ts";
import * as sqliteSchema from "../../db/schema.sqlite.ts";
import { isSecret, tablesOf } from "../../db/tables.ts";
import { embedded, target } from "../../scripts/embed-sql.ts";

const dialects = { pg: tablesOf("pg"), sqlite: tablesOf("sqlite") };
const names = Object.keys(dialects.pg) as (keyof typeof dialects.pg)[];

/** What each SQLite type stands for among PostgreSQL's, which are the canonical ones. */
const ALIKE: Record<string, string[]> = {
  'text collate "C"': ["text"],
  integer: ["integer"],
  boolean: ["integer"],
  "double precision": ["real"],
  "timestamp (3) with time zone": ["text"],
  jsonb: ["text"],
};

const column = (c: Column) => ({
  name: c.name,
  notNull: c.notNull,
  primary: c.primary,
  hasDefault: c.hasDefault,
  secret: isSecret(c),
});

interface Shape {
  indexes: { config: { name: string; unique: boolean; columns: { name: string }[]; where?: SQL } }[];
  foreignKeys: {
    reference(): { columns: Column[]; foreignColumns: Column[]; foreignTable: Table };
    onDelete?: string;
  }[];
  checks: { name: string }[];
}

const shape = ({ indexes, foreignKeys, checks }: Shape) => ({
  indexes: indexes.map(({ config: { name, unique, columns, where } }) => ({
    name,
    unique,
    columns: columns.map((c) => c.name),
    partial: where !== undefined,
  })),
  references: foreignKeys.map((key) => {
    const { columns, foreignColumns, foreignTable } = key.reference();
    const toNames = (list: Column[]) => list.map((c) => c.name);
    return [toNames(columns), getTableName(foreignTable), toNames(foreignColumns), key.onDelete ?? "no action"];
  }),
  checks: checks.map(({ name }) => name),
});

test("both kits have the same terms", () => {
  expect(Object.keys(sqliteKit)).toEqual(Object.keys(pgKit));
});

/** drizzle-kit looks at exports alone: a table that is not among them gets no migration, and nothing says so. */
test.each([
  ["pg", pgSchema],
  ["sqlite", sqliteSchema],
])("db/schema.%s.ts exports every table", (_, schema) => {
  expect(Object.keys(schema).sort()).toEqual(names.toSorted());
});

for (const name of names) {
  describe(name, () => {
    const pg = dialects.pg[name] as unknown as Table;
    const sqlite = dialects.sqlite[name] as unknown as Table;

    test("has the same columns in both dialects", () => {
      expect(getTableName(sqlite)).toBe(getTableName(pg));
      const columnsOf = (table: Table) =>
        Object.fromEntries(Object.entries(getTableColumns(table)).map(([key, c]) => [key, column(c)]));
      expect(columnsOf(sqlite)).toEqual(columnsOf(pg));
    });

    test("has types that stand for each other", () => {
      for (const [key, c] of Object.entries(getTableColumns(pg))) {
        expect(ALIKE[c.getSQLType()]).toContain(getTableColumns(sqlite)[key]?.getSQLType() as string);
      }
    });

    test("has the same indexes, references and checks", () => {
      expect(shape(sqliteConfig(sqlite as never) as never)).toEqual(shape(pgConfig(pg as never) as never));
    });
  });
}

const snapshot = (dialect: string) => {
  const folder = new URL(`../../db/migrations/${dialect}/meta/`, import.meta.url);
  const { entries } = JSON.parse(readFileSync(new URL("_journal.json", folder), "utf8")) as {
    entries: { idx: number }[];
  };
  const last = String(entries.at(-1)?.idx).padStart(4, "0");
  return JSON.parse(readFileSync(new URL(`${last}_snapshot.json`, folder), "utf8"));
};

test("the migrations of PostgreSQL lead to the tables as they are declared", async () => {
  expect(await generateMigration(snapshot("pg"), generateDrizzleJson(pgSchema, undefined, undefined, casing))).toEqual(
    [],
  );
});

test("the migrations of SQLite lead to the tables as they are declared", async () => {
  expect(
    await generateSQLiteMigration(snapshot("sqlite"), await generateSQLiteDrizzleJson(sqliteSchema, undefined, casing)),
  ).toEqual([]);
});

test("the embedded SQL is the SQL of the folders", () => {
  expect(readFileSync(target, "utf8")).toBe(embedded());
});
