/**
 * PostgreSQL: a known list of statements as one statement of data-modifying CTEs, so that it commits in one flight.
 *
 * The parts of one statement run on one snapshot: none sees another's effect, no row may be touched twice, and their order is open
 * (PostgreSQL manual, 7.8.4). So a list is folded only when it holds no read and no two parts that may meet on one table; other lists
 * are pipelined, statement by statement, between BEGIN and COMMIT. Either way `must` is checked by the database itself:
 * `hearth_must(count, index)` raises SQLSTATE HM001 (sql/pg/hearth_must.sql).
 */
import { type SQL, sql } from "drizzle-orm/sql";
import type { Compiled } from "./port.ts";
import type { Printer, Step } from "./statement.ts";

export const MUST_FAILED = "HM001";

/** Whether the parts may run in any order on one snapshot. Rows that are only added may share a table. */
export function foldable(steps: readonly Step[]): boolean {
  const changed = new Set<string>();
  const added = new Set<string>();
  for (const { bound } of steps) {
    const { target, inserts } = bound.compiled;
    if (target === null || changed.has(target) || (!inserts && added.has(target))) return false;
    (inserts ? added : changed).add(target);
  }
  return true;
}

/** One text for the steps, whose parameters are those of the steps one after the other. It answers one row with a json column a step. */
export function fold(steps: readonly Step[], printer: Printer): string {
  const parts = steps.map(({ bound, must }, i) => part(bound.compiled, must, i));
  const ctes = sql.join(
    parts.map(({ cte }) => cte),
    sql.raw(", "),
  );
  const answers = sql.join(
    parts.map(({ answer }) => answer),
    sql.raw(", "),
  );
  return printer.sqlToQuery(sql`with ${ctes} select ${answers}`).sql;
}

function part(compiled: Compiled, must: boolean, i: number): { cte: SQL; answer: SQL } {
  const name = `s${i}`;
  const columns = compiled.fields.map((_, j) => `c${j}`);
  const returns = columns.length > 0;
  const counted = must && !returns;
  const heads = returns ? `(${columns.join(", ")})` : "";
  const body = counted ? sql`${compiled.sql} returning 1` : compiled.sql;
  const rows = returns ? `json_agg(json_build_array(${columns.join(", ")}))` : "null::json";
  const answer = must
    ? `(select case when hearth_must(count(*), ${i}) then ${rows} end from ${name})`
    : returns
      ? `(select ${rows} from ${name})`
      : "null::json";
  return { cte: sql`${sql.raw(`${name}${heads} as `)}(${body})`, answer: sql.raw(answer) };
}

/** A list that cannot be folded is sent as its own folded singles, so that `must` and the shape of the answers stay the same. */
export const key = (steps: readonly Step[]): string =>
  steps.map(({ bound, must }) => `${bound.compiled.id}${must ? "!" : ""}`).join(",");
