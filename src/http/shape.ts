/** From a verb's value to an answer: the envelope, parsed by the declared schema, which fails closed. */
import { z } from "zod";
import { toInstant } from "../core/clock.ts";
import { AppError } from "../core/error.ts";
import type { ListInput, Page, Position } from "../core/page.ts";
import { versionTag } from "../core/version.ts";
import { type CursorCodec, scopeOf } from "./cursor.ts";
import { textTag } from "./etag.ts";
import type { Facts } from "./facts.ts";
import { type Route, statusOf } from "./route.ts";

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string | null;
}

/** What of an answer is the same for every request: JSON texts, and the headers that follow from them. */
export interface Parts {
  status: number;
  headers: Record<string, string>;
  /** Null: there is no body. */
  data: string | null;
  page?: string;
}

export interface Shaper {
  /** The whole answer to a verb's value. Throws `internal` when the value does not fit what the route declares. */
  (value: unknown, facts: Facts, list: ListInput | null): Answer;
  parts(value: unknown, list: ListInput | null): Parts;
  whole(parts: Parts, facts: Facts): Answer;
}

interface ShapeOptions {
  cursors: CursorCodec;
  /** Told, in development, of fields that a handler returned and the schema does not declare. */
  onSurplus: ((route: Route, names: string[]) => void) | null;
}

export const JSON_TYPE = "application/json";

export function shaper(route: Route, options: ShapeOptions): Shaper {
  const parts = partsOf(route, options);
  const whole: Shaper["whole"] = ({ status, headers, data, page }, { requestId, clock }) => ({
    status,
    headers,
    body: data === null || route.bare ? data : envelope(data, requestId, toInstant(clock), page),
  });
  const shape = (value: unknown, facts: Facts, list: ListInput | null) => whole(parts(value, list), facts);
  return Object.assign(shape, { parts, whole });
}

function partsOf(route: Route, { cursors, onSurplus }: ShapeOptions): Shaper["parts"] {
  const status = statusOf(route);
  if (!route.answer) return () => ({ status, headers: {}, data: null });

  // The items of a list are parsed at once, which takes half the time of parsing each.
  const schema = route.list ? z.array(route.answer) : route.answer;
  const parse = (value: unknown): unknown => {
    const result = schema.safeParse(value);
    if (!result.success)
      throw new AppError("internal", {
        cause: new Error(`${route.id} answered what it does not declare: ${result.error.message}`),
      });
    if (onSurplus) reportSurplus(value, result.data, (names) => onSurplus(route, names));
    return result.data;
  };

  return (value, list) => {
    if (list) {
      const found = value as Page<Record<string, unknown>>;
      const items = cut(parse(found.items) as object[], list.fields);
      const meta = {
        limit: list.limit,
        next: nextOf(found, list, route, cursors),
        ...(found.total !== null && { total: found.total }),
      };
      const data = JSON.stringify(items);
      const page = JSON.stringify(meta);
      return { status, headers: { "content-type": JSON_TYPE, etag: textTag(data + page) }, data, page };
    }
    const parsed = parse(value);
    const data = JSON.stringify(parsed);
    const headers: Record<string, string> = { "content-type": JSON_TYPE, ...route.headers };
    // What the actor may do can change while the row does not.
    const { permissions } = parsed as { permissions?: object };
    if (route.versioned && !permissions) headers.etag = versionTag(parsed as { version: number });
    else if (route.method === "get") headers.etag = textTag(data);
    if (route.location) headers.location = route.location(parsed as never);
    return { status, headers, data };
  };
}

/** Request ids and timestamps need no escaping: the first are checked on the way in, the second are ours. */
const envelope = (data: string, requestId: string, timestamp: string, page?: string): string =>
  `{"data":${data},"meta":{"requestId":"${requestId}","timestamp":"${timestamp}"${page === undefined ? "" : `,"page":${page}`}}}`;

function cut(items: object[], fields: readonly string[] | null): object[] {
  if (fields === null) return items;
  const keeps = ([name]: [string, unknown]) => name === "id" || name === "permissions" || fields.includes(name);
  return items.map((item) => Object.fromEntries(Object.entries(item).filter(keeps)));
}

function nextOf(
  page: Page<Record<string, unknown>>,
  list: ListInput,
  route: Route,
  cursors: CursorCodec,
): string | null {
  const last = page.items.at(-1);
  if (page.next) return cursors.encode(page.next, scopeOf(route.path, list));
  if (!page.more || !last) return null;
  const position: Position = { value: last[list.sort.field] as string | number, id: last.id as string };
  return cursors.encode(position, scopeOf(route.path, list));
}

function reportSurplus(value: unknown, parsed: unknown, report: (names: string[]) => void): void {
  if (Array.isArray(value)) {
    reportSurplus(value[0], (parsed as unknown[])[0], report);
    return;
  }
  if (typeof value !== "object" || value === null || typeof parsed !== "object" || parsed === null) return;
  const names = Object.keys(value).filter(
    (name) => !(name in parsed) && (value as Record<string, unknown>)[name] !== undefined,
  );
  if (names.length > 0) report(names);
}
