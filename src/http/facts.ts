/** What is known of a request before anything looks into it: its id, its trace, its client, its time. */
import type { Context as HonoContext, MiddlewareHandler } from "hono";
import { type Actor, anonymous } from "../core/actor.ts";
import type { Clock } from "../core/clock.ts";
import type { Ability } from "../policy/ability.ts";
import type { Claim } from "./idempotency.ts";
import type { Input } from "./validate.ts";

export interface Facts {
  readonly requestId: string;
  readonly traceId: string;
  /** Asked of the runtime when it is needed: that costs 3 µs on Bun, and most requests are counted by their actor. */
  readonly address: string | null;
  readonly startedAt: number;
  readonly clock: number;
  /** Headers that the pipeline adds to whatever answer there will be. */
  readonly headers: Record<string, string>;
  /** Aborts when the time is up; see `abortOf`. */
  abort: AbortController | null;
  /** The template of the route that answers, for the log: never the path itself, which may hold personal data. */
  route: string | null;
  actor: Actor;
  ability: Ability | null;
}

export interface AppEnv {
  Variables: { facts: Facts; input: Input; claim?: Claim };
  Bindings: Bindings;
}

/** What a runtime passes with each request. */
export interface Bindings {
  /** The address of the socket's other end, if the runtime knows it. */
  peer?: () => string | null;
}

export type HttpContext = HonoContext<AppEnv>;

/** Not `c.var.facts`: Hono copies all variables into a new object whenever `var` is read. */
export const factsOf = (c: HttpContext): Facts => c.get("facts");

/** Made when it is first needed, because hardly any request waits for it. */
export function abortOf(facts: Facts): AbortController {
  facts.abort ??= new AbortController();
  return facts.abort;
}

const REQUEST_ID = /^[\w.:@-]{1,128}$/;
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/;

export interface FactsOptions {
  clock: Clock;
  /** The client's address, behind the proxies that are trusted. */
  clientAddress: (peer: string | null, forwardedFor: string | undefined) => string | null;
}

/** Accepts the caller's `x-request-id` when it is harmless in a log, and continues its W3C `traceparent`; makes both otherwise. */
export const facts =
  ({ clock, clientAddress }: FactsOptions): MiddlewareHandler<AppEnv> =>
  (c, next) => {
    const { headers } = c.req.raw;
    const uuid = crypto.randomUUID();
    const asked = headers.get("x-request-id");
    const parent = headers.get("traceparent");
    const trace = parent === null ? null : TRACEPARENT.exec(parent);
    c.set("facts", {
      requestId: asked !== null && REQUEST_ID.test(asked) ? asked : uuid,
      traceId: trace?.[1] ?? uuid.replaceAll("-", ""),
      get address() {
        return clientAddress(c.env?.peer?.() ?? null, headers.get("x-forwarded-for") ?? undefined);
      },
      startedAt: performance.now(),
      clock: clock.now(),
      headers: {},
      abort: null,
      route: null,
      actor: anonymous,
      ability: null,
    });
    return next();
  };
