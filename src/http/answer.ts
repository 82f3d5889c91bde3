/** The end of the pipeline: calls the handler, shapes its value, and answers conditional reads. */
import { toInstant } from "../core/clock.ts";
import { AppError } from "../core/error.ts";
import type { Context, KeptAnswer } from "../policy/context.ts";
import { isStale } from "../ports/db/stale.ts";
import { notModified } from "./etag.ts";
import { abortOf, factsOf, type HttpContext } from "./facts.ts";
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

function contextOf(c: HttpContext, shape: Shaper, fresh: boolean): Context {
  const facts = factsOf(c);
  const claim = c.get("claim");
  if (!facts.ability) throw new Error("a route without authentication has no ability");
  return {
    actor: facts.actor,
    ability: facts.ability,
    requestId: facts.requestId,
    traceId: facts.traceId,
    get address() {
      return facts.address;
    },
    get userAgent() {
      return c.req.raw.headers.get("user-agent")?.slice(0, 300) ?? null;
    },
    now: toInstant(facts.clock),
    get signal() {
      return abortOf(facts).signal;
    },
    fresh,
    keep: claim
      ? (value) => {
          claim.kept = true;
          return kept(claim, shape(value, facts, null));
        }
      : null,
  };
}
