/** From zod to the JSON Schemas of the OpenAPI document. Schemas with an id (`.meta({ id })`) become components of that name. */
import { z } from "zod";

export type Json = { [key: string]: unknown };
export type Ref = { $ref: string };

export const refTo = (kind: string, name: string): Ref => ({ $ref: `#/components/${kind}/${name}` });

/**
 * Collects the components of one document. A part is asked for by its name and made when it is first used, so that the document has none
 * that nothing refers to.
 */
export interface Components {
  readonly all: Record<string, Record<string, Json>>;
  /** A reference to the component, which is made now if it is not there yet. */
  use(kind: string, name: string, make: () => Json): Ref;
  /** What a client may send (`input`, where defaults are optional) or is given (`output`), as a schema or a reference to one. */
  schema(schema: z.ZodType, io: "input" | "output"): Json;
}

export function components(): Components {
  const all: Components["all"] = {};
  const use: Components["use"] = (kind, name, make) => {
    all[kind] ??= {};
    all[kind][name] ??= make();
    return refTo(kind, name);
  };
  const known = { input: new Map<z.ZodType, Json>(), output: new Map<z.ZodType, Json>() };
  return {
    all,
    use,
    schema(schema, io) {
      const before = known[io].get(schema);
      if (before) return before;
      // Inside of another object, because zod makes a definition of a schema with an id only where it is referred to.
      const { properties, $defs } = z.toJSONSchema(z.object({ it: schema }), { io }) as unknown as {
        properties: { it: Json };
        $defs?: Record<string, Json>;
      };
      for (const [name, definition] of Object.entries($defs ?? {})) {
        const made = polish(definition, io);
        use("schemas", name, () => made);
        if (JSON.stringify(all.schemas?.[name]) !== JSON.stringify(made))
          throw new Error(`Two schemas have the id ${name}, or one is sent and answered in different shapes.`);
      }
      const made = polish(properties.it, io);
      known[io].set(schema, made);
      return made;
    },
  };
}

const INT32_MAX = 2_147_483_647;
const INSTANT_LENGTH = 24;
/** zod's own pattern, 230 characters long, knows leap years; `format: date-time` says the same. */
const INSTANT_PATTERN = "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$";

/** The same schema in the words that readers and generators of OpenAPI know best. */
function polish<T>(node: T, io: "input" | "output"): T {
  if (Array.isArray(node)) return node.map((item) => polish(item, io)) as T;
  if (typeof node !== "object" || node === null) return node;
  const made: Json = {};
  for (const [key, value] of Object.entries(node)) {
    // An answer may get new fields without being another version; clients are not to refuse them.
    if (key === "additionalProperties" && io === "output" && value === false) continue;
    if (key === "$ref") made.$ref = String(value).replace("#/$defs/", "#/components/schemas/");
    else if (key === "default" || key === "examples" || key === "enum" || key === "const") made[key] = value;
    else made[key] = polish(value, io);
  }
  if (made.type === "integer" && made.format === undefined)
    made.format = Number(made.maximum) <= INT32_MAX && Number(made.minimum) >= -INT32_MAX ? "int32" : "int64";
  if (made.format === "date-time" && made.maxLength === INSTANT_LENGTH) made.pattern = INSTANT_PATTERN;
  return orNull(made) as T;
}

/** `anyOf: [{ type: "string", … }, { type: "null" }]` is `type: ["string", "null"]`. */
function orNull(node: Json): Json {
  const { anyOf, ...rest } = node;
  if (!Array.isArray(anyOf) || anyOf.length !== 2) return node;
  const [some, none] = anyOf as [Json, Json];
  if (none.type !== "null" || typeof some.type !== "string" || some.enum !== undefined) return node;
  return { ...some, ...rest, type: [some.type, "null"] };
}

/** An item of a list, of which a client can ask for some of the fields: all but `id` may be missing. */
export function partialItem(full: Json, of: string): Json {
  return {
    ...full,
    required: ["id"],
    description: `An item of a list: a ${of}, or only the asked for \`fields\` of one.`,
  };
}
