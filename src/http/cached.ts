/**
 * The end of the pipeline for a route whose answers are kept (`cache` of its declaration), in place of answer.ts. What is kept is the shaped
 * answer without what belongs to one request (its id and time), so that no undeclared field reaches a store; entity tags, 304 and the
 * envelope are made from it as ever. Rate limits, authentication and the first authorization come before it, for each request.
 */
import type { Actor } from "../core/actor.ts";
import { type Clock, unref } from "../core/clock.ts";
import { unavailable } from "../core/error.ts";
import { sha256Hex } from "../core/hash.ts";
import type { Ability } from "../policy/ability.ts";
import type { Context } from "../policy/context.ts";
import type { Cache } from "../ports/cache/port.ts";
import { contextOf } from "./answer.ts";
import { notModified } from "./etag.ts";
import { type Facts, factsOf } from "./facts.ts";
import { respond } from "./respond.ts";
import type { Route, RouteCache } from "./route.ts";
import type { Parts, Shaper } from "./shape.ts";
import type { Step } from "./step.ts";

interface Kept {
  /** When it was made, in milliseconds since the epoch. */
  at: number;
  parts: Parts;
}

interface CachedOptions {
  cache: Cache;
  clock: Clock;
  /** How long a request may take, and so the handler whose answer is kept. */
  timeoutMs: number;
}

/** The namespace of a version's answers: another version may shape its own otherwise. What is no name, or too long for one, becomes a digest. */
export const answersOf = (version: string): string =>
  `routes-${/^[\w.-]{1,50}$/.test(version) ? version : sha256Hex(version).slice(0, 32)}`;

/** Throws for a declaration that contradicts itself. */
export function cached(route: Route, rule: RouteCache, shape: Shaper, options: CachedOptions): Step {
  assertSound(route, rule);
  const { cache, clock, timeoutMs } = options;
  const { scope, tags, onlyClients = false } = rule;
  const ttlMs = rule.maxAgeS * 1000;
  const reach = scope === "public" ? "public" : "private";
  const control = `${reach}, ${tags ? "no-cache" : `max-age=${rule.maxAgeS}`}`;

  return async (c) => {
    const facts = factsOf(c);
    const { params, list } = c.get("input");
    const make = async (): Promise<Kept> => {
      const own = contextOf(c, shape, tags !== undefined);
      const value = await limited(timeoutMs, (signal) => {
        const ctx = sharedContext(own, scope, signal);
        return route.handler({ ctx, params, body: undefined, list, ifMatch: null } as never);
      });
      // Its time begins when it is kept, which may be long after it was asked for.
      return { parts: shape.parts(value, list), at: clock.now() };
    };
    const key = () => `${route.id} ${whose(facts, scope)} ${JSON.stringify([params, list])}`;
    const named = tags?.((params ?? {}) as Record<string, string>) ?? [];
    const { at, parts } = onlyClients ? await make() : await cache.remember(key(), make, { ttlMs, tags: named });

    const { status, headers, body } = shape.whole(parts as Parts, facts);
    const { etag = "" } = headers;
    const asked = c.req.raw.headers.get("if-none-match") ?? undefined;
    const vary = scope === "public" ? [] : ["Authorization"];
    if (facts.headers.vary) vary.unshift(facts.headers.vary);
    // Only here, and not for whatever answer there will be: a problem is not to be kept.
    const about = {
      etag,
      "cache-control": control,
      ...(!onlyClients && { age: String(Math.max(0, Math.floor((facts.clock - at) / 1000))) }),
      ...(vary.length > 0 && { vary: vary.join(", ") }),
    };
    if (notModified(asked, etag)) return respond(c, 304, null, about);
    return respond(c, status, body, { ...headers, ...about });
  };
}

function assertSound(
  { id, method, access, answer, permissions, headers }: Route,
  { scope, maxAgeS, tags, onlyClients }: RouteCache,
) {
  const faults = [
    (method !== "get" || !answer) && "only a read with an answer can be kept",
    (scope === "public") !== (access === "public") && "a public answer is that of a public route, and of no other",
    !(Number.isInteger(maxAgeS) && maxAgeS >= 1 && maxAgeS <= 31_536_000) && "maxAgeS is from 1 to a year",
    tags && onlyClients && "what only clients keep has no tags",
    permissions && "what each actor may do is not kept",
    headers && "cache-control" in headers && "cache-control follows from cache",
  ].filter((fault) => typeof fault === "string");
  if (faults.length > 0) throw new Error(`the route ${id}: ${faults.join("; ")}`);
}

/** The part of the key that keeps answers from those who are not to be given them. */
function whose({ actor, ability }: Facts, scope: RouteCache["scope"]): string {
  if (scope === "public") return "*";
  const digest = digestOf(ability as Ability);
  return scope === "ability" ? digest : `${digest} ${JSON.stringify(shown(actor))}`;
}

/** The actor as the handler is shown them: all that is in here is in the key. The same person is given the answer in other sessions too. */
const shown = (actor: Actor): Actor => (actor.type === "user" ? { ...actor, sessionId: null } : actor);

const digests = new WeakMap<Ability, string>();
/** Abilities of the same rules, conditions included, are the same. */
function digestOf(ability: Ability): string {
  let digest = digests.get(ability);
  if (digest === undefined) {
    digest = sha256Hex(JSON.stringify(ability.rules));
    digests.set(ability, digest);
  }
  return digest;
}

/** The work has a time of its own: others wait for it when the request that began it has gone. */
async function limited<T>(ms: number, work: (signal: AbortSignal) => T): Promise<Awaited<T>> {
  const abort = new AbortController();
  const timer = unref(setTimeout(() => abort.abort(unavailable("The request took too long.")), ms));
  try {
    return await work(abort.signal);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The context of a call whose result others are given too: it says nothing of who happened to ask first, and does not end with their
 * request. It reads what is committed, because a replica that lags would bring back what was just invalidated.
 */
function sharedContext(ctx: Context, scope: RouteCache["scope"], signal: AbortSignal): Context {
  const { actor, ability, requestId, traceId, now, fresh } = ctx;
  const shared = {
    ability,
    requestId,
    traceId,
    now,
    fresh,
    signal,
    address: null,
    userAgent: null,
    reason: null,
    keep: null,
    permissions: null,
  };
  if (scope !== "ability") return { ...shared, actor: shown(actor) };
  return {
    ...shared,
    get actor(): never {
      throw new Error("an answer that is shared by ability cannot depend on the actor");
    },
  };
}
