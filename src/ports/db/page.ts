/**
 * Pages of a table by keyset: each starts after the last row of the one before, told by the sort value and the id as tie-breaker, so that
 * rows that come or go meanwhile make none appear twice or be left out. A statement is printed once for each shape of list.
 */
import type { Column } from "drizzle-orm/column";
import { and, asc, desc, eq, gt, gte, inArray, lt, lte, ne, type SQL, sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import type { ListInput, Operator, Page } from "../../core/page.ts";
import { limitOf, value } from "./placeholders.ts";
import type { Bound, Builder, Builders, Db, Reads } from "./port.ts";
import { remembered } from "./remembered.ts";

/** A condition that is part of every page, with its values: what the actor may see. */
export interface Condition {
  /** Tells shapes apart; the same for the same SQL text. */
  key: string;
  sql: SQL | undefined;
  values: Record<string, unknown>;
  /** Whether it leaves out some rows of all, and does not look for some of them. */
  open?: boolean;
}

export interface PageSpec {
  /** The columns that are answered, sorted by and filtered by; `id` is one of them. */
  columns: (tables: Tables) => Record<string, Column>;
  /** `q.select(columns).from(…)`, without its `where`. */
  from: (q: Builders, tables: Tables, columns: Record<string, Column>) => Selecting;
  /** Rows that are never part of the list, such as deleted ones. */
  base?: (tables: Tables) => SQL | undefined;
}

/** The part of a select builder that is used; Drizzle's own type depends on the columns. */
interface Selecting {
  where(condition: SQL | undefined): Selecting;
  orderBy(...columns: SQL[]): Selecting;
  limit(limit: unknown): Builder;
  getSQL(): SQL;
  readonly _: object;
}

/**
 * The sizes of most pages stand in the text of a list that nothing is looked for in. Of a LIMIT that it does not know PostgreSQL assumes a
 * tenth of the table, and plans anew each time: 70 µs of the server, with one plan for all 40. Where something is looked for, planning by
 * the values is what finds the index of a rare one.
 */
const COMMON_LIMITS: ReadonlySet<number> = new Set([10, 20, 25, 50, 100]);

const compare: Record<Exclude<Operator, "in">, (column: Column, operand: SQL) => SQL> = { eq, ne, gt, gte, lt, lte };

export function pages<Row>(db: Db, spec: PageSpec) {
  const columns = spec.columns(db.tables);
  const base = spec.base?.(db.tables);
  const kept = remembered(
    ({ key }: { key: string; build: (q: Builders) => Builder }) => key,
    ({ build }) => db.prepare(build) as (values: Record<string, unknown>) => Bound,
  );
  const shaped = (key: string, build: (q: Builders) => Builder) => kept({ key, build });

  return async (input: ListInput, condition: Condition, reads: Reads): Promise<Page<Row>> => {
    const { sort, filters, after, limit } = input;
    const shape = filters.map(({ field, op, value: v }) => `${field}.${op}${Array.isArray(v) ? v.length : ""}`).join();
    const all = () => and(base, condition.sql, ...filters.map((f, i) => filterSql(columns, f, i)));
    const values: Record<string, unknown> = {
      ...condition.values,
      limit: limit + 1,
      ...(after && { after: after.value, afterId: after.id }),
    };
    filters.forEach(({ value: v }, i) => {
      const items = Array.isArray(v) ? v.map((item, j) => [`f${i}_${j}`, item] as const) : [[`f${i}`, v] as const];
      for (const [name, item] of items) values[name] = item;
    });

    const fixed = COMMON_LIMITS.has(limit) && filters.length === 0 && condition.open === true;
    const size = fixed ? limit : "any";
    const list = shaped(
      `list ${size} ${sort.field} ${sort.descending} ${after !== null} ${shape} ${condition.key}`,
      (q) => {
        const by = columnOf(columns, sort.field);
        const id = columnOf(columns, "id");
        const order = sort.descending ? desc : asc;
        const start = after && startSql(by, id, sort.descending);
        return spec
          .from(q, db.tables, columns)
          .where(and(all(), start ?? undefined))
          .orderBy(...(by === id ? [order(id)] : [order(by), order(id)]))
          .limit(fixed ? sql.raw(String(limit + 1)) : limitOf("limit"));
      },
    );
    const rows = (await db.all(list(values), reads)) as Row[];
    const more = rows.length > limit;
    if (more) rows.length = limit;
    return { items: rows, more, total: input.count ? await count(shape, all, values, condition, reads) : null };
  };

  async function count(
    shape: string,
    all: () => SQL | undefined,
    values: Record<string, unknown>,
    condition: Condition,
    reads: Reads,
  ) {
    const statement = shaped(`count ${shape} ${condition.key}`, (q) =>
      spec.from(q, db.tables, { total: sql`count(*)`.mapWith(Number) as never }).where(all()),
    );
    const [row] = (await db.all(statement(values), reads)) as { total: number }[];
    return row?.total ?? 0;
  }
}

function columnOf(columns: Record<string, Column>, field: string): Column {
  const column = columns[field];
  if (!column) throw new Error(`a list is declared over "${field}", which is no column of it`);
  return column;
}

function filterSql(
  columns: Record<string, Column>,
  { field, op, value: v }: ListInput["filters"][number],
  i: number,
): SQL {
  const column = columnOf(columns, field);
  if (op === "in")
    return inArray(
      column,
      (v as unknown[]).map((_, j) => value(`f${i}_${j}`, column)),
    );
  return compare[op](column, value(`f${i}`, column));
}

/** Rows after the position, in the order of the list; a row comparison, which an index on (by, id) answers. */
function startSql(by: Column, id: Column, descending: boolean): SQL {
  const sign = sql.raw(descending ? "<" : ">");
  if (by === id) return sql`${id} ${sign} ${value("afterId", id)}`;
  return sql`(${by}, ${id}) ${sign} (${value("after", by)}, ${value("afterId", id)})`;
}
