/**
 * Any number of rows as a few parameters: the text is the same for all, and D1's 100 values are no limit.
 *
 * SQLite: one JSON array of objects. PostgreSQL: one text a column, a line a row, because it takes 11 µs a row to read what
 * `json_to_recordset` is given, and 1.4 µs for lines (PostgreSQL 15, 20,000 rows of two columns). No value that is sent so holds a line
 * feed: ids, numbers and instants have none, and in JSON it is escaped.
 */
import { type SQL, sql } from "drizzle-orm/sql";
import type { Dialect } from "../db/port.ts";

/** `json` is sent as its text. `string` may be any, `text` is one that has no line feed and is not empty. `place`: a row's `ctid`. */
type Kind = "text" | "string" | "int" | "real" | "instant" | "json" | "place";
type Cell = string | number | null | undefined;

export interface Rows<C extends string> {
  /** `… as r`, for a `from`. */
  from: SQL;
  /** The values of its placeholders. */
  bind(list: readonly Partial<Record<C, Cell>>[]): Record<string, string>;
}

const pgCasts: Record<Kind, (field: string) => string> = {
  text: (f) => f,
  string: (f) => `(${f}::jsonb #>> '{}')`,
  int: (f) => `${f}::int`,
  real: (f) => `${f}::float8`,
  instant: (f) => `${f}::timestamptz`,
  json: (f) => `${f}::jsonb`,
  place: (f) => `${f}::tid`,
};

export function rowsOf<C extends string>(dialect: Dialect, columns: Record<C, Kind>): Rows<C> {
  const entries = Object.entries(columns) as [C, Kind][];
  return dialect === "pg" ? lines(entries) : objects(entries);
}

function lines<C extends string>(entries: [C, Kind][]): Rows<C> {
  const picked = entries.map(([name, kind], i) => `${pgCasts[kind](`f${i}`)} as ${name}`).join(", ");
  const fields = entries.map((_, i) => `f${i}`).join(", ");
  const arrays = entries.map(([name]) => sql`string_to_array(${sql.placeholder(`r_${name}`)}::text, chr(10), '')`);
  return {
    from: sql`(select ${sql.raw(picked)} from unnest(${sql.join(arrays, sql`, `)}) as x(${sql.raw(fields)})) as r`,
    bind: (list) =>
      Object.fromEntries(
        entries.map(([name, kind]) => {
          const cells = list.map((row) => {
            const cell = row[name] ?? null;
            return cell === null ? "" : kind === "string" ? quote(cell) : cell;
          });
          // A column without a value is no line at all.
          return [`r_${name}`, cells.every((cell) => cell === "") ? "" : cells.join("\n")];
        }),
      ),
  };
}

function objects<C extends string>(entries: [C, Kind][]): Rows<C> {
  const picked = entries.map(([name, kind]) => `value ${kind === "json" ? "->" : "->>"} '$.${name}' as ${name}`);
  return {
    from: sql`(select ${sql.raw(picked.join(", "))} from json_each(${sql.placeholder("r")})) as r`,
    bind: (list) => ({ r: `[${list.map((row) => object(entries, row)).join(",")}]` }),
  };
}

function object<C extends string>(entries: [C, Kind][], row: Partial<Record<C, Cell>>): string {
  const members: string[] = [];
  for (const [name, kind] of entries) {
    const cell = row[name];
    if (cell === null || cell === undefined) continue;
    members.push(`"${name}":${PLAIN.has(kind) ? cell : quote(cell)}`);
  }
  return `{${members.join(",")}}`;
}

/** Those whose text is JSON as it is. */
const PLAIN = new Set<Kind>(["json", "int", "real"]);
const quote = (cell: Cell) => JSON.stringify(cell);

/** `(…)` of a JSON array of texts, for an `in`. */
export const texts = (dialect: Dialect, placeholder: string): SQL =>
  dialect === "pg"
    ? sql`(select json_array_elements_text(${sql.placeholder(placeholder)}::text::json))`
    : sql`(select value from json_each(${sql.placeholder(placeholder)}))`;

/**
 * Whether the id is one of a JSON array of texts. PostgreSQL reads the array once. Where it takes the other conditions to leave few rows, as it
 * does while more have come than it knows of, it would join them with `texts` by reading the array again for each: more than 5 s for 20,000.
 */
export const among = (dialect: Dialect, id: SQL, placeholder: string): SQL =>
  dialect === "pg"
    ? sql`${id} = any (array${texts(dialect, placeholder)})`
    : sql`${id} in ${texts(dialect, placeholder)}`;

/**
 * Always true. PostgreSQL takes a condition that it knows nothing of to leave one row in 200, and so goes on from these rows by the primary
 * key or the place of each. It would else scan a table that was small when the statement was planned, and keep to that while it grows.
 */
export const few = (dialect: Dialect, id: SQL): SQL => (dialect === "pg" ? sql`${id} || '' = ${id}` : sql`true`);
