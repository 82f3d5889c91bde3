import { z } from "zod";
import { AppError, type InputFault } from "../core/error.ts";
import type { ListInput } from "../core/page.ts";
import type { IfMatch } from "../core/version.ts";
import { escapePointer, readJson, storable } from "./body.ts";
import type { CursorCodec } from "./cursor.ts";
import { ifMatchOf } from "./etag.ts";
import type { HttpContext } from "./facts.ts";
import { includeQuery, listQuery, toListInput } from "./list.ts";
import { type Route, writes } from "./route.ts";
import type { Step } from "./step.ts";

/** The request as the route's schemas parsed it. */
export interface Input {
  params: unknown;
  body: unknown;
  /** The body as it was sent, for the fingerprint of an idempotent request. */
  bytes: Uint8Array;
  list: ListInput | null;
  ifMatch: IfMatch;
  /** The fields that can be changed, where the answer is to tell which of them the actor may change; null otherwise. */
  permissions: readonly string[] | null;
}

const MAX_FAULTS = 20;
const NOTHING = new Uint8Array();

/** Parses everything that the client sent, and reports all faults of one part together. */
export function validate(route: Route, { bodyLimit, cursors }: { bodyLimit: number; cursors: CursorCodec }): Step {
  const query = queryOf(route);
  return (c, next) => {
    const params = route.params ? parseParams(route.params, c) : undefined;
    const asked = parseQuery(query, c);
    const list = route.list ? toListInput(route.list, asked, route.path, cursors) : null;
    const ifMatch = route.versioned && writes(route) ? ifMatchOf(c.req.raw.headers.get("if-match") ?? undefined) : null;
    const permissions = asked.include === undefined ? null : (route.permissions?.changes ?? null);
    const { body } = route;
    if (!body) {
      c.set("input", { params, body: undefined, bytes: NOTHING, list, ifMatch, permissions });
      return next();
    }
    return readJson(c, bodyLimit).then(({ value, bytes }) => {
      c.set("input", { params, body: parse(body, value, "body"), bytes, list, ifMatch, permissions });
      return next();
    });
  };
}

function queryOf({ list, permissions }: Route): z.ZodObject | undefined {
  const whole = list && listQuery(list);
  if (!permissions) return whole;
  return (whole ?? z.strictObject({})).extend(includeQuery);
}

/** An identifier that cannot be one names nothing. */
function parseParams(schema: z.ZodType, c: HttpContext): unknown {
  const result = schema.safeParse(c.req.param());
  if (!result.success) throw new AppError("not_found");
  return result.data;
}

function parseQuery(schema: z.ZodType | undefined, c: HttpContext): Record<string, unknown> {
  if (!c.req.raw.url.includes("?")) return {};
  const values: Record<string, string> = Object.create(null);
  const faults: InputFault[] = [];
  for (const [name, all] of Object.entries(c.req.queries())) {
    const pointer = `/${escapePointer(name)}`;
    const value = all[0] as string;
    if (all.length > 1) faults.push({ in: "query", pointer, detail: "is given more than once" });
    else if (!schema) faults.push({ in: "query", pointer, detail: "is not a parameter of this endpoint" });
    else if (!storable(value)) faults.push({ in: "query", pointer, detail: "has characters that are not text" });
    else values[name] = value;
  }
  if (faults.length > 0) throw new AppError("invalid_input", { errors: faults.slice(0, MAX_FAULTS) });
  return schema ? (parse(schema, { ...values }, "query") as Record<string, unknown>) : {};
}

function parse(schema: z.ZodType, value: unknown, part: "body" | "query"): unknown {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new AppError("invalid_input", { errors: faultsOf(result.error, part) });
}

/** From zod's issues to pointers. The texts are zod's, which name what was expected and never repeat a value. */
function faultsOf(error: z.ZodError, part: "body" | "query"): InputFault[] {
  const faults = error.issues.flatMap((issue): InputFault[] => {
    const path = issue.path.map((key) => `/${escapePointer(String(key))}`).join("");
    if (issue.code !== "unrecognized_keys") return [{ in: part, pointer: path, detail: issue.message }];
    const detail = part === "body" ? "is not a known field" : "is not a parameter of this endpoint";
    return issue.keys.map((key) => ({ in: part, pointer: `${path}/${escapePointer(key)}`, detail }));
  });
  return faults.slice(0, MAX_FAULTS);
}
