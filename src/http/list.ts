/** The query of a list: `limit`, `cursor`, `sort`, `fields`, `count` and `filter[field][op]`, from one declaration. */
import { z } from "zod";
import { AppError } from "../core/error.ts";
import { DEFAULT_LIMIT, type Filter, type ListInput, MAX_LIMIT, type Operator, type Position } from "../core/page.ts";
import { type CursorCodec, scopeOf } from "./cursor.ts";

export interface ListSpec {
  /** Sortable fields, never null; the first one is the default, newest or last first when it begins with `-`. */
  sort: readonly [string, ...string[]];
  /** Filterable fields, each indexed: the schema of a value, and the operators that it takes. */
  filter: Record<string, { schema: z.ZodType; ops: readonly Operator[] }>;
  /** Fields that `fields` may name. */
  fields: readonly string[];
}

const MAX_IN = 50;
const digits = z
  .string()
  .regex(/^\d{1,3}$/, "is not a whole number in decimal digits")
  .transform(Number);

const commaList = (item: z.ZodType, max: number) =>
  z
    .string()
    .max(2000)
    .transform((text): unknown => text.split(","))
    .pipe(z.array(item).min(1).max(max));

export const filterName = (field: string, op: Operator): string => `filter[${field}][${op}]`;

/** The strict schema of the query string: a name that is not in here is refused. */
export function listQuery(spec: ListSpec): z.ZodObject {
  const shape: Record<string, z.ZodType> = {
    limit: digits.pipe(z.int().min(1).max(MAX_LIMIT)).optional(),
    cursor: z.string().min(1).max(500).optional(),
    sort: z.enum(spec.sort.flatMap((field) => [field.replace(/^-/, ""), `-${field.replace(/^-/, "")}`])).optional(),
    fields: commaList(z.enum(spec.fields as [string, ...string[]]), spec.fields.length).optional(),
    count: z.enum(["exact"]).optional(),
  };
  for (const [field, { schema, ops }] of Object.entries(spec.filter)) {
    for (const op of ops) shape[filterName(field, op)] = (op === "in" ? commaList(schema, MAX_IN) : schema).optional();
  }
  return z.strictObject(shape);
}

/** `include=permissions`, of routes that declare `permissions`. */
export const includeQuery = { include: z.enum(["permissions"]).optional() };

type Parsed = Record<string, unknown> & {
  limit?: number;
  cursor?: string;
  sort?: string;
  fields?: string[];
  count?: "exact";
};

/** Reads a parsed query. Throws `invalid_cursor` for a cursor of another list, or one that was changed. */
export function toListInput(spec: ListSpec, query: Parsed, path: string, cursors: CursorCodec): ListInput {
  const sort = query.sort ?? spec.sort[0];
  const filters: Filter[] = [];
  for (const [field, { ops }] of Object.entries(spec.filter)) {
    for (const op of ops) {
      const value = query[filterName(field, op)];
      if (value !== undefined) filters.push({ field, op, value });
    }
  }
  const input: ListInput = {
    limit: query.limit ?? DEFAULT_LIMIT,
    sort: { field: sort.replace(/^-/, ""), descending: sort.startsWith("-") },
    after: null,
    filters,
    fields: query.fields ?? null,
    count: query.count === "exact",
  };
  return query.cursor === undefined ? input : { ...input, after: positionOf(query.cursor, path, input, cursors) };
}

function positionOf(cursor: string, path: string, input: ListInput, cursors: CursorCodec): Position {
  const position = cursors.decode(cursor, scopeOf(path, input));
  if (position === null)
    throw new AppError("invalid_cursor", {
      errors: [{ in: "query", pointer: "/cursor", detail: "is not a cursor of this list" }],
    });
  return position;
}
