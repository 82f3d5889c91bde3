/** The query of a list, as parameters of the OpenAPI document. */
import { DEFAULT_LIMIT, MAX_LIMIT, type Operator } from "../core/page.ts";
import { filterName, type ListSpec, listQuery } from "./list.ts";
import type { Components, Json } from "./openapi-schemas.ts";

const meanings: Record<Operator, string> = {
  eq: "is this",
  ne: "is not this",
  in: "is one of these",
  gt: "is greater than this",
  gte: "is this or greater",
  lt: "is less than this",
  lte: "is this or less",
};

/** Cursors are base64url; a client passes them on and does not read them. */
export const cursorSchema = { type: "string", minLength: 1, maxLength: 500, pattern: "^[\\w-]+$" };

/** Of a route that declares `permissions`. */
export const includeParameter = (parts: Components): Json =>
  parts.use("parameters", "Include", () => ({
    name: "include",
    in: "query",
    description: "`permissions` makes each row say what this actor may do to it.",
    schema: { type: "string", enum: ["permissions"] },
  }));

export function listParameters(spec: ListSpec, parts: Components): Json[] {
  const { properties } = parts.schema(listQuery(spec), "output") as { properties: Record<string, Json> };
  const query = (name: string, description: string, own: Json = {}): Json => ({
    name,
    in: "query",
    description,
    schema: properties[name],
    // Several values are one text with commas between them.
    ...(properties[name]?.type === "array" && { style: "form", explode: false }),
    ...own,
  });
  const [byDefault] = spec.sort;
  const filters = Object.entries(spec.filter).flatMap(([field, { ops }]) =>
    ops.map((op) => query(filterName(field, op), `Only items whose \`${field}\` ${meanings[op]}.`)),
  );
  return [
    parts.use("parameters", "Limit", () =>
      query("limit", `How many items a page has at most: 1 to ${MAX_LIMIT}.`, {
        schema: { ...properties.limit, default: DEFAULT_LIMIT },
      }),
    ),
    parts.use("parameters", "Cursor", () =>
      query("cursor", "`meta.page.next` of the page before, unchanged, with the same `sort` and filters.", {
        schema: cursorSchema,
      }),
    ),
    query("sort", "The field to sort by; with `-` before it, the greatest comes first.", {
      schema: { ...properties.sort, default: byDefault },
    }),
    query("fields", "The fields that items are cut down to. `id` is always there."),
    parts.use("parameters", "Count", () =>
      query("count", "`exact` counts the items of all pages, into `meta.page.total`. It costs a query of its own."),
    ),
    ...filters,
  ];
}
