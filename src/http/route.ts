/** A route is declared as data: what it takes, what it answers, who may use it. The handler parses nothing and shapes nothing. */
import type { z } from "zod";
import type { ErrorCode } from "../core/error.ts";
import type { ListInput, Page } from "../core/page.ts";
import type { IfMatch } from "../core/version.ts";
import type { Action, Subject } from "../policy/ability.ts";
import type { Context } from "../policy/context.ts";
import type { ListSpec } from "./list.ts";

type Schema = z.ZodType;
type ObjectSchema = z.ZodObject;

/** What operations are grouped by in the documentation. */
export interface Tag {
  name: string;
  description: string;
}

/** What a handler is given: the facts, and the input as the route's schemas parsed it. */
export interface Call<P, B> {
  ctx: Context;
  params: P;
  body: B;
  /** For a list route; see `list` of the declaration. */
  list: ListInput;
  ifMatch: IfMatch;
}

export interface RouteCache {
  /** How old an answer may be, in seconds, wherever it is kept. */
  maxAgeS: number;
  /**
   * Who is given the same answer: everybody, for a route that looks at no token; one actor, in all sessions and as long as they may do
   * the same; or all actors that may do the same, whose handler then has no access to the actor itself.
   */
  scope: "public" | "actor" | "ability";
  /**
   * What it is made from: `cache.invalidateTag` makes it anew at once. What a client keeps cannot be invalidated, so clients are told to ask
   * each time, which an entity tag answers with 304.
   */
  tags?: (params: Record<string, string>) => readonly string[];
  /** It is made for each request, because that costs less than keeping it or it has to be current here; clients may keep it. */
  onlyClients?: boolean;
}

export interface RouteSpec<
  P extends ObjectSchema | undefined,
  B extends ObjectSchema | undefined,
  A extends Schema | undefined,
  L extends ListSpec | undefined,
> {
  method: "get" | "post" | "put" | "patch" | "delete";
  /** As OpenAPI writes it: `/v1/users/{id}`. */
  path: `/${string}`;
  /** The operation's id in the OpenAPI document. */
  id: string;
  tag: Tag;
  summary: string;
  description?: string;
  /** What the actor has to be able to do; or `public`, where no token is looked at; or `optional`, where one may tell who asks. */
  access: "public" | "optional" | readonly [Action, Subject];
  /** The rate limit that it counts against; null for probes. Default: `api`. */
  limit?: "api" | "auth" | null;
  params?: P;
  body?: B;
  /** The shape of `data`. For a list, of one of its items. Without it the answer has no body. */
  answer?: A;
  /** Makes it a list: what can be sorted and filtered by. */
  list?: L;
  /** Default: 200, or 204 without an answer. */
  status?: 200 | 201 | 202 | 204;
  /** `?include=permissions` makes each row say what the actor may do to it; `changes` are the fields that `update` can set. */
  permissions?: { changes: readonly string[] };
  /** The answer is the whole body, without an envelope, because a standard of its own prescribes it. */
  bare?: boolean;
  /** Whether and for how long an answer may be given again (see cached.ts). For reads alone. Default: not at all. */
  cache?: RouteCache;
  /** Headers of the answer beyond those that follow from the rest. */
  headers?: Record<string, string>;
  /** The path of the resource that was made. */
  location?: (value: z.output<A & Schema>) => string;
  /** The answer's entity tag is that of its version; such a route takes `If-None-Match`, or `If-Match` when it writes. */
  versioned?: boolean;
  /** Whether an `Idempotency-Key` is honoured. Default: for all that write. Not for answers that hold secrets, which are never stored. */
  idempotent?: boolean;
  /** The answer is a stream of text of this type, without an envelope and of any length: the handler answers its parts. */
  stream?: "application/x-ndjson";
  /** Of a read: the action that the audit trail knows it by, each time it succeeds. What writes notes its own change. */
  audit?: string;
  /** Codes that it may answer beyond those that follow from the rest. */
  problems?: readonly ErrorCode[];
  /** An example of the body and of the answer's `data`, for the documentation; checked against the schemas by a test. */
  examples?: { body?: unknown; answer?: unknown };
  handler: (
    call: Call<OutputOf<P>, OutputOf<B>>,
  ) => Promise<ValueOf<A, L>> | (A extends Schema ? never : Promise<void> | Promise<AsyncIterable<string>>);
}

type OutputOf<S> = S extends Schema ? z.output<S> : undefined;
/** A handler may return more than the answer declares; what is not declared does not leave. */
type ValueOf<A, L> = A extends Schema ? (L extends ListSpec ? Page<z.input<A>> : z.input<A>) : undefined;

/** A declared route, its types forgotten: what the pipeline works on. */
export interface Route
  extends Omit<
    RouteSpec<undefined, undefined, undefined, undefined>,
    "params" | "body" | "answer" | "list" | "location" | "handler"
  > {
  params?: ObjectSchema;
  body?: ObjectSchema;
  answer?: Schema;
  list?: ListSpec;
  location?: (value: never) => string;
  handler: (call: Call<never, never>) => Promise<unknown>;
}

/** Declares a route; the schemas give the handler its types. */
export const route = <
  P extends ObjectSchema | undefined = undefined,
  B extends ObjectSchema | undefined = undefined,
  A extends Schema | undefined = undefined,
  L extends ListSpec | undefined = undefined,
>(
  spec: RouteSpec<P, B, A, L>,
): Route => spec as unknown as Route;

export const writes = (route: Route): boolean => route.method !== "get";
export const isIdempotent = (route: Route): boolean => route.idempotent ?? writes(route);
export const statusOf = (route: Route): number => route.status ?? (route.answer || route.stream ? 200 : 204);

/** From the template to a test of paths: one name a segment, and never more than it. */
const pathPattern = (path: string): RegExp =>
  new RegExp(`^${path.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{\w+\}/g, "[^/]+")}$`);

/** The methods that a path answers, from the declared routes alone; none for a path that does not exist. */
export function methodsOf(routes: readonly Pick<Route, "method" | "path">[]): (path: string) => string[] {
  const known = routes.map(({ method, path }) => ({ method: method.toUpperCase(), pattern: pathPattern(path) }));
  return (path) => {
    const found = known.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
    if (found.length === 0) return [];
    return [...new Set(found.includes("GET") ? ["GET", "HEAD", ...found] : found), "OPTIONS"];
  };
}
