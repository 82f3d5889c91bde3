/** The end of the pipeline: calls the handler, shapes its value, and answers conditional reads. */
import type { Actor } from "../core/actor.ts";
import { type Instant, toInstant } from "../core/clock.ts";
import { AppError } from "../core/error.ts";
import type { Ability } from "../policy/ability.ts";
import type { Context, KeptAnswer } from "../policy/context.ts";
import { isStale } from "../ports/db/stale.ts";
import { notModified } from "./etag.ts";
import { abortOf, type Facts, factsOf, type HttpContext } from "./facts.ts";
import type { AnswerStore } from "./idempotency.ts";
import { respond } from "./respond.ts";
import { type Route, writes } from "./route.ts";
import type { Answer, Shaper } from "./shape.ts";
import type { Step } from "./step.ts";

export function answer(route: Route, shape: Shaper, answers: AnswerStore): Step {
  const fresh = writes(route);
  return async (c) => {
    const { params, body, list, ifMatch } = c.get("input");
    const ctx = contextOf(c, shape, fresh);
    let value: unknown;
    try {
      value = await route.handler({ ctx, params, body, list, ifMatch } as never);
    } catch (error) {
      // The version that the client named was current when it was read, and was not any more when it was to be written.
      throw ifMatch !== null && isStale(error) ? new AppError("precondition_failed", { cause: error }) : error;
    }
    const shaped = shape(value, factsOf(c), list);
    const claim = c.get("claim");
    if (claim && !claim.kept) await answers.put(kept(claim, shaped));
    return send(c, route, shaped);
  };
}

function send(c: HttpContext, route: Route, { status, headers, body }: Answer): Response {
  const { etag } = headers;
  if (etag && route.method === "get" && notModified(c.req.raw.headers.get("if-none-match") ?? undefined, etag)) {
    return respond(c, 304, null, { etag });
  }
  return respond(c, status, body, headers);
}

type Kept = { id: string; fingerprint: string; expiresAt: string };
const kept = ({ id, fingerprint, expiresAt }: Kept, { status, headers, body }: Answer): KeptAnswer => ({
  id,
  fingerprint,
  expiresAt,
  status,
  headers,
  body: body ?? "",
});

/** A class, because an object with getters of its own is made anew with each of them for every request. */
class RequestContext implements Context {
  readonly actor: Actor;
  readonly ability: Ability;
  readonly requestId: string;
  readonly traceId: string;
  readonly now: Instant;
  readonly fresh: boolean;
  readonly keep: Context["keep"];
  readonly permissions: Context["permissions"];
  readonly #c: HttpContext;
  readonly #facts: Facts;

  constructor(c: HttpContext, facts: Facts, fresh: boolean, keep: Context["keep"]) {
    if (!facts.ability) throw new Error("a route without authentication has no ability");
    this.actor = facts.actor;
    this.ability = facts.ability;
    this.requestId = facts.requestId;
    this.traceId = facts.traceId;
    this.now = toInstant(facts.clock);
    this.fresh = fresh;
    this.keep = keep;
    this.permissions = c.get("input").permissions;
    this.#c = c;
    this.#facts = facts;
  }

  get address(): string | null {
    return this.#facts.address;
  }
  get userAgent(): string | null {
    return this.#c.req.raw.headers.get("user-agent")?.slice(0, 300) ?? null;
  }
  get reason(): string | null {
    const text = this.#c.req.raw.headers.get("x-audit-reason");
    return text === null ? null : reasonOf(text);
  }
  get signal(): AbortSignal {
    return abortOf(this.#facts).signal;
  }
}

/** Header values are Latin-1 at best, so that other letters come percent-encoded (RFC 3986). What is no such encoding is taken as it is. */
function reasonOf(text: string): string | null {
  const short = text.trim().slice(0, 3 * MAX_REASON);
  let plain = short;
  try {
    plain = decodeURIComponent(short);
  } catch {}
  return (
    plain
      .replace(/\p{C}+/gu, " ")
      .slice(0, MAX_REASON)
      .toWellFormed()
      .trim() || null
  );
}

const MAX_REASON = 500;

export function contextOf(c: HttpContext, shape: Shaper, fresh: boolean): Context {
  const facts = factsOf(c);
  const claim = c.get("claim");
  const keep =
    claim &&
    ((value: unknown) => {
      claim.kept = true;
      return kept(claim, shape(value, facts, null));
    });
  return new RequestContext(c, facts, fresh, keep ?? null);
}
