/** What is known of a request before anything looks into it: its id, its trace, its client, its time. */
import type { Context as HonoContext } from "hono";
import { type Actor, anonymous } from "../core/actor.ts";
import type { Clock } from "../core/clock.ts";
import type { Ability } from "../policy/ability.ts";
import type { Known } from "./authenticate.ts";
import type { Claim } from "./idempotency.ts";
import type { Step } from "./step.ts";
import type { Input } from "./validate.ts";

export class Facts {
  readonly requestId: string;
  readonly traceId: string;
  readonly startedAt = performance.now();
  /** Milliseconds since the epoch. */
  readonly clock: number;
  /** Headers that the pipeline adds to whatever answer there will be. */
  readonly headers: Record<string, string> = {};
  /** Aborts when the time is up; see `abortOf`. */
  abort: AbortController | null = null;
  /** The template of the route that answers, for the log: never the path itself, which may hold personal data. */
  route: string | null = null;
  /** What is remembered of the bearer's token, before it is authenticated. */
  known: Known | null = null;
  actor: Actor = anonymous;
  ability: Ability | null = null;
  readonly #addressOf: () => string | null;

  constructor(requestId: string, traceId: string, clock: number, addressOf: () => string | null) {
    this.requestId = requestId;
    this.traceId = traceId;
    this.clock = clock;
    this.#addressOf = addressOf;
  }

  /** Asked of the runtime when it is needed: that costs 3 µs on Bun, and most requests are counted by their actor. */
  get address(): string | null {
    return this.#addressOf();
  }
}

export interface AppEnv {
  Variables: { facts: Facts; input: Input; claim?: Claim };
  Bindings: Bindings;
}

/** What a runtime passes with each request. */
export interface Bindings {
  /** The address of the socket's other end, if the runtime knows it. */
  peer?: () => string | null;
  /** Work of the request that goes on after its answer has begun, where the runtime has to know of it. */
  background?: (work: Promise<unknown>) => void;
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
  ({ clock, clientAddress }: FactsOptions): Step =>
  (c, next) => {
    const { headers } = c.req.raw;
    const uuid = crypto.randomUUID();
    const asked = headers.get("x-request-id");
    const parent = headers.get("traceparent");
    const trace = parent === null ? null : TRACEPARENT.exec(parent);
    const requestId = asked !== null && REQUEST_ID.test(asked) ? asked : uuid;
    const traceId = trace?.[1] ?? uuid.replaceAll("-", "");
    const addressOf = () => clientAddress(c.env?.peer?.() ?? null, headers.get("x-forwarded-for") ?? undefined);
    c.set("facts", new Facts(requestId, traceId, clock.now(), addressOf));
    return next();
  };
