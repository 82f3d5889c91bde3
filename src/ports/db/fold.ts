/**
 * PostgreSQL: a known list of statements as one statement of data-modifying CTEs, so that it commits in one flight.
 *
 * The parts of one statement run on one snapshot: none sees another's effect, no row may be touched twice, and their order is open
 * (PostgreSQL manual, 7.8.4). So a list is folded only when that makes no difference; other lists are pipelined, statement by statement,
 * between BEGIN and COMMIT. Either way `must` is checked by the database itself: `hearth_must(count, place)` raises SQLSTATE HM001
 * (sql/pg/010_hearth_must.sql).
 */
import { type SQL, sql } from "drizzle-orm/sql";
import type { Printer, Step } from "./statement.ts";
import { BEFORE } from "./touched.ts";

export const MUST_FAILED = "HM001";

/**
 * Whether the steps may run in any order on one snapshot: no read; no two on one table, unless both only add rows; none that mentions a
 * table which an earlier one touches; and after a delete, which may cascade, only steps that add rows. A text that holds a table's name
 * for another reason is only pipelined without need. Triggers that write to other tables are not seen: the schema has none.
 */
export const foldable = (steps: readonly Step[]): boolean =>
  steps.every(({ bound: { compiled } }, i) => {
    if (compiled.target === null) return false;
    return steps.slice(0, i).every(({ bound: { compiled: earlier } }) => {
      const mentions = count(compiled.text, earlier.target as string);
      if (compiled.effect === "adds") {
        return earlier.target === compiled.target ? earlier.effect === "adds" && mentions === 1 : mentions === 0;
      }
      return mentions === 0 && earlier.effect !== "removes";
    });
  });

const count = (text: string, word: string) => text.match(new RegExp(`\\b${word}\\b`, "g"))?.length ?? 0;

/** A list as one text. Its parameters are those of the steps, one after the other. */
export interface Folded {
  text: string;
  /** The step whose rows the text answers with as they are; null: one row with a json array of rows for each step. */
  plain: number | null;
}

/** `noticed`: the text has two parameters more, a channel and what it is told with the commit. */
export function fold(steps: readonly Step[], printer: Printer, noticed = false): Folded {
  const returning = steps.flatMap((step, i) => (columnsOf(step).length > 0 ? [i] : []));
  const musts = steps.flatMap(({ must }, i) => (must ? [i] : []));
  const [only] = returning;
  // Plain columns cost the server and the client about half of what json does. With a `must` elsewhere, no row could be told from none.
  // Nor is the notice sent by a join with no row, which does no harm where that means that nothing was done at all.
  const isPlain = returning.length === 1 && (musts.length === 0 || musts.includes(only ?? -1));
  const plain = isPlain && only !== undefined && (!noticed || steps.length === 1) ? only : null;
  const parts = [...steps.map(cte), ...(noticed ? [NOTICE] : [])];
  const ctes = sql.join(parts, sql.raw(", "));
  const rows = plain === null ? steps.map(json).join(", ") : rowsOf(steps, plain, musts);
  const answer = rows + (noticed ? `${plain === null ? " from" : " cross join"} notice` : "");
  return { text: printer.sqlToQuery(sql`with ${ctes} select ${sql.raw(answer)}`).sql, plain };
}

/** A part that is not read from is not carried out. */
const NOTICE = sql`notice as materialized (select pg_notify(${""}, ${""}))`;

const columnsOf = ({ bound }: Step): string[] => bound.compiled.fields.map((_, i) => `c${i}`);

const touched = (i: number) => `hearth_must((select count(*) from s${i}), ${i})`;

function cte(step: Step, i: number): SQL {
  const columns = columnsOf(step);
  const heads = columns.length > 0 ? `(${columns.join(", ")})` : "";
  const { sql: statement, text } = step.bound.compiled;
  const before = text.includes(BEFORE) ? `with ${BEFORE} as (select 1 from s${i - 1}) ` : "";
  return sql`${sql.raw(`s${i}${heads} as (${before}`)}${step.must && heads === "" ? sql`${statement} returning 1` : statement})`;
}

function json(step: Step, i: number): string {
  const columns = columnsOf(step);
  const rows =
    columns.length > 0 ? `(select json_agg(json_build_array(${columns.join(", ")})) from s${i})` : "null::json";
  return step.must ? `case when ${touched(i)} then ${rows} end` : rows;
}

/** The guards stand on the outer side of the join, so that they are called also when the step answers no row. */
function rowsOf(steps: readonly Step[], i: number, musts: readonly number[]): string {
  const columns = columnsOf(steps[i] as Step).join(", ");
  if (musts.length === 0) return `${columns} from s${i}`;
  return `${columns} from (select ${musts.map((m, j) => `${touched(m)} as m${j}`).join(", ")}) as m left join s${i} on true`;
}

/** The rows of each step, from the rows that the folded text answered. */
export function unfold({ plain }: Folded, rows: unknown[][], steps: number): unknown[][][] {
  if (plain === null) return (rows[0] ?? []).map((answer) => (answer ?? []) as unknown[][]);
  const answers: unknown[][][] = Array.from({ length: steps }, () => []);
  answers[plain] = rows;
  return answers;
}

/** What folded texts are kept by. */
export const key = (steps: readonly Step[]): string =>
  steps.map(({ bound: { compiled }, must }) => (must ? -compiled.id : compiled.id)).join();
