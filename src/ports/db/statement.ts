/** From a Drizzle builder to text, values and rows, without Drizzle's sessions: one path for every engine, printed once and reused. */
import { Column } from "drizzle-orm/column";
import { is } from "drizzle-orm/entity";
import { noopDecoder, Param, Placeholder, type Query, SQL } from "drizzle-orm/sql";
import { getTableName, type Table } from "drizzle-orm/table";
import type { Tables } from "../../../db/tables.ts";
import type { Bound, Builder, Builders, Compiled, Dialect, Field, Item, Prepare, Statement } from "./port.ts";

/** Prints SQL objects: Drizzle's PgDialect or SQLiteDialect. */
export interface Printer {
  sqlToQuery(sql: SQL): Query;
}

interface Selected {
  path: string[];
  field: unknown;
}

/** What Drizzle's builders keep to themselves, read in this one place (drizzle-orm 0.45). */
interface Internals {
  config: {
    table?: Table;
    returning?: Selected[];
    fields?: Record<string, unknown>;
    values?: unknown;
    onConflict?: unknown;
    set?: unknown;
  };
}

/** A text has one id, whatever built it, so that what is kept for a list of ids also serves builders that are made anew each time. */
const ids = new Map<string, number>();
const MAX_IDS = 2000;
let lastId = 0;

function idOf(text: string): number {
  let id = ids.get(text);
  if (id === undefined) {
    if (ids.size >= MAX_IDS) ids.clear();
    id = ++lastId;
    ids.set(text, id);
  }
  return id;
}

const compiledBuilders = new WeakMap<object, Compiled>();

export function compile(builder: Builder, printer: Printer): Compiled {
  const { config } = builder as unknown as Internals;
  const reads = config.fields !== undefined && config.values === undefined;
  const selected = reads
    ? Object.entries(config.fields ?? {}).map(([key, field]) => ({ path: [key], field }))
    : (config.returning ?? []);
  const sql = builder.getSQL();
  const { sql: text, params } = printer.sqlToQuery(sql);
  return {
    id: idOf(text),
    sql,
    text,
    slots: params.map(toSlot),
    fields: selected.map(toField),
    target: reads || !config.table ? null : getTableName(config.table),
    effect: reads ? "reads" : effectOf(config),
  };
}

function effectOf({ values, onConflict, set }: Internals["config"]): Compiled["effect"] {
  if (Array.isArray(values) && onConflict === undefined) return "adds";
  return values === undefined && set === undefined ? "removes" : "changes";
}

function toField({ path, field }: Selected): Field {
  if (path.length !== 1) throw new Error(`a statement returns flat columns; "${path.join(".")}" is nested`);
  const key = path[0] as string;
  const decoder = decoderOf(field);
  if (!decoder) throw new Error(`"${key}" is not a column or an SQL expression: name the columns to select`);
  // Most columns keep the driver's value as it is: their decoder is the base class's, and is not called for each row.
  const keeps = decoder === noopDecoder || decoder.mapFromDriverValue === Column.prototype.mapFromDriverValue;
  return { key, decode: keeps ? null : (value) => decoder.mapFromDriverValue(value) };
}

interface Decoder {
  mapFromDriverValue(value: unknown): unknown;
}

function decoderOf(field: unknown): Decoder | null {
  if (is(field, Column)) return field;
  const expression = is(field, SQL.Aliased) ? field.sql : field;
  return is(expression, SQL) ? (expression as unknown as { decoder: Decoder }).decoder : null;
}

export function preparer(builders: Builders, tables: Tables, printer: Printer, dialect: Dialect): Prepare {
  const known = new WeakMap<object, Compiled>();
  return (build) => {
    let compiled = known.get(build);
    if (!compiled) {
      compiled = compile(build(builders, tables, dialect), printer);
      known.set(build, compiled);
    }
    const final = compiled;
    return (values = {}) => ({ compiled: final, values });
  };
}

const isBound = (statement: Statement): statement is Bound => "compiled" in statement;

function bind(statement: Statement, printer: Printer): Bound {
  if (isBound(statement)) return statement;
  let compiled = compiledBuilders.get(statement);
  if (!compiled) {
    compiled = compile(statement, printer);
    compiledBuilders.set(statement, compiled);
  }
  return { compiled, values: {} };
}

/** An item of a list with its guard unwrapped. */
export interface Step {
  bound: Bound;
  must: boolean;
}

export function toStep(item: NonNullable<Item>, printer: Printer): Step {
  if (!("must" in item)) return { bound: bind(item, printer), must: false };
  const bound = bind(item.must, printer);
  // A read takes no lock at PostgreSQL's default isolation, so what it found may be gone before the list commits.
  if (bound.compiled.target === null) throw new Error("must guards a statement that changes rows, not a read");
  return { bound, must: true };
}

/** A read that is about to run by itself. What changes rows is refused: it could be sent to a replica, or lose its audit entry. */
export function toRead(statement: Statement, printer: Printer): Bound {
  const bound = bind(statement, printer);
  if (bound.compiled.target !== null) throw new Error("what changes rows is run by db.atomic, not by db.all");
  return bound;
}

/** The values to send, in the order of the text. A null is sent as it is; Drizzle's own filling would encode it (jsonb `null`). */
export function paramsOf({ compiled: { slots }, values }: Bound): unknown[] {
  const params = new Array<unknown>(slots.length);
  for (let i = 0; i < slots.length; i++) params[i] = (slots[i] as Slot)(values);
  return params;
}

type Slot = (values: Record<string, unknown>) => unknown;

function toSlot(param: unknown): Slot {
  const placeholder = is(param, Param) ? param.value : param;
  if (!is(placeholder, Placeholder)) return () => param;
  const { name } = placeholder;
  const encode = is(param, Param)
    ? (value: unknown) => param.encoder.mapToDriverValue(value)
    : (value: unknown) => value;
  return (values) => {
    const value = values[name];
    if (value === undefined) throw new Error(`no value is bound to "${name}"`);
    return value === null ? null : encode(value);
  };
}

/** Turns rows of plain values into objects. */
export function decode(fields: readonly Field[], rows: readonly unknown[][]): Record<string, unknown>[] {
  return rows.map((row) => {
    const object: Record<string, unknown> = {};
    for (let i = 0; i < fields.length; i++) {
      const { key, decode } = fields[i] as Field;
      const value = row[i];
      object[key] = value === null || value === undefined ? null : decode ? decode(value) : value;
    }
    return object;
  });
}
