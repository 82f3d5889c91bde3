/** Rows and random rules over them, and the engines that they are stored in. */
import { Database } from "bun:sqlite";
import { PGlite } from "@electric-sql/pglite";
import { PgDialect } from "drizzle-orm/pg-core";
import { type SQL, sql } from "drizzle-orm/sql";
import { SQLiteSyncDialect } from "drizzle-orm/sqlite-core";
import fc from "fast-check";
import { casing, type Kit, pgKit, sqliteKit } from "../../db/kit.ts";
import { anonymous } from "../../src/core/actor.ts";
import type { Ability } from "../../src/policy/ability.ts";
import { caslAbilities } from "../../src/policy/casl.ts";
import type { Where } from "../../src/policy/where.ts";
import { compile, paramsOf } from "../../src/ports/db/statement.ts";

export const docsOf = (kit: Kit) =>
  kit.table("docs", {
    id: kit.text().primaryKey(),
    title: kit.text(),
    sizeKb: kit.int(),
    isOpen: kit.bool(),
    dueAt: kit.instant(),
  });

export interface Doc {
  id: string;
  title: string | null;
  sizeKb: number | null;
  isOpen: boolean | null;
  dueAt: string | null;
}
export const fields = ["id", "title", "sizeKb", "isOpen", "dueAt"];

// Small pools, so that conditions meet rows. They hold what comparisons go wrong on: text that JavaScript takes for a number, cases and
// accents that collations reorder, characters that UTF-16 and UTF-8 order differently, and the ends of an integer.
const titles = ["", "-5", "10", "9", "B", "a", "b", "é", "z", "\ue000", "\u{1f600}"];
export const bounds = titles.filter((title) => title < "\ud800");
const sizes = [-(2 ** 31) + 1, -1, 0, 1, 10, 2 ** 31 - 1];
const dues = [
  "0001-01-01T00:00:00.000Z",
  "2026-01-31T09:30:00.000Z",
  "2026-01-31T09:30:00.001Z",
  "9999-12-31T23:59:59.999Z",
];
const flags = [true, false];

const nullable = <T>(pool: readonly T[]) =>
  fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...pool) }, fc.constant(null));

export const rows: Doc[] = fc
  .sample(
    fc.record({ title: nullable(titles), sizeKb: nullable(sizes), isOpen: nullable(flags), dueAt: nullable(dues) }),
    { numRuns: 150, seed: 7 },
  )
  .map((row, i) => ({ id: `doc${i}`, ...row }));

const equality = <T>(pool: readonly T[]) =>
  fc.oneof(
    nullable(pool).map((value) => value as unknown),
    nullable(pool).map(($eq) => ({ $eq })),
    nullable(pool).map(($ne) => ({ $ne })),
    fc.array(nullable(pool), { maxLength: 3 }).map(($in) => ({ $in })),
    fc.array(nullable(pool), { maxLength: 3 }).map(($nin) => ({ $nin })),
  );

const comparison = <T>(pool: readonly T[], ordered: readonly T[]): fc.Arbitrary<unknown> => {
  const orders =
    ordered.length === 0 ? [] : [fc.tuple(fc.constantFrom("$lt", "$lte", "$gt", "$gte"), fc.constantFrom(...ordered))];
  const one = fc.oneof(
    equality(pool),
    ...orders.map((order) => order.map(([op, value]) => ({ [op]: value }) as unknown)),
  );
  const operators = one.filter((value) => typeof value === "object" && value !== null);
  return fc.oneof(
    { weight: 4, arbitrary: one },
    operators.map(($not) => ({ $not })),
    fc.tuple(operators, operators).map(([a, b]) => ({ ...(a as object), ...(b as object) })),
  );
};

const flat = fc.record(
  {
    id: equality(rows.slice(0, 3).map(({ id }) => id)),
    title: comparison(titles, bounds),
    sizeKb: comparison(sizes, sizes),
    isOpen: comparison(flags, []),
    dueAt: comparison(dues, dues),
  },
  { requiredKeys: [], noNullPrototype: true },
);

export const { conditions } = fc.letrec<{ conditions: object }>((tie) => ({
  conditions: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { weight: 3, arbitrary: flat },
    fc
      .tuple(fc.constantFrom("$and", "$or", "$nor"), fc.array(tie("conditions"), { minLength: 1, maxLength: 3 }), flat)
      .map(([op, parts, beside]) => ({ ...beside, [op]: parts })),
  ),
}));

export const rule = fc.record({
  inverted: fc.boolean(),
  action: fc.constantFrom("read", "read", "manage", "update"),
  subject: fc.constantFrom("User", "User", "all"),
  fields: fc.option(fc.subarray(fields, { minLength: 1 }), { nil: undefined, freq: 3 }),
  conditions: fc.option(conditions, { nil: undefined, freq: 4 }),
});
export type RandomRule = typeof rule extends fc.Arbitrary<infer R> ? R : never;
export const ruleSets = fc.array(rule, { maxLength: 6 });

type Untyped = (action: string, subject: string, fieldsOrConditions?: unknown, conditions?: unknown) => void;

/** An ability over `docs`, which take the place of users: the rules' own types know no such table. */
export function abilityWith(
  rules: Pick<RandomRule, "inverted" | "action" | "subject" | "fields" | "conditions">[],
): Ability {
  return caslAbilities({
    docs: (_, allow) => {
      for (const { inverted, action, subject, fields, conditions } of rules) {
        const give = (inverted ? allow.cannot : allow.can) as unknown as Untyped;
        if (fields) give(action, subject, fields, conditions);
        else give(action, subject, conditions);
      }
    },
  }).abilityFor(anonymous);
}

export interface Engine {
  columns: ReturnType<typeof docsOf>;
  /** Printed and filled as the database port does. */
  query(text: SQL, values: Readonly<Record<string, unknown>>): Promise<unknown[][]>;
  close(): Promise<void>;
}

export const builder = (text: SQL) => ({ getSQL: () => text, config: { returning: [] }, _: {} });

async function onPglite(): Promise<Engine> {
  const pglite = await PGlite.create();
  await pglite.exec(
    "create table docs (id text primary key, title text, size_kb int, is_open bool, due_at timestamptz(3))",
  );
  const printer = new PgDialect({ casing });
  return {
    columns: docsOf(pgKit),
    async query(text, values) {
      const compiled = compile(builder(text), printer);
      return (await pglite.query<unknown[]>(compiled.text, paramsOf({ compiled, values }), { rowMode: "array" })).rows;
    },
    close: () => pglite.close(),
  };
}

async function onSqlite(): Promise<Engine> {
  const sqlite = new Database(":memory:");
  sqlite.run("create table docs (id text primary key, title text, size_kb integer, is_open integer, due_at text)");
  const printer = new SQLiteSyncDialect({ casing });
  return {
    columns: docsOf(sqliteKit),
    async query(text, values) {
      const compiled = compile(builder(text), printer);
      return sqlite.query(compiled.text).values(...(paramsOf({ compiled, values }) as never[]));
    },
    close: async () => sqlite.close(),
  };
}

/** Opened with all rows in it. */
export const engines = [
  ["PGlite", () => filled(onPglite())],
  ["SQLite", () => filled(onSqlite())],
] as const;

async function filled(opening: Promise<Engine>): Promise<Engine> {
  const engine = await opening;
  const { columns } = engine;
  for (const row of rows) {
    const values = sql.join(
      fields.map((name) => sql.param(row[name as keyof Doc], columns[name as keyof Doc])),
      sql`, `,
    );
    await engine.query(sql`insert into docs values (${values})`, {});
  }
  return engine;
}

/** The ids of the rows that a condition finds. */
export async function found({ query, columns }: Engine, { sql: condition, values }: Where): Promise<string[]> {
  const ids = await query(sql`select ${columns.id} from docs where ${condition ?? sql`1 = 1`}`, values);
  return ids.map(([id]) => id as string).sort();
}
