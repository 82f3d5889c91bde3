import type { Actor } from "../core/actor.ts";
import type { Instant } from "../core/clock.ts";
import type { Ability } from "./ability.ts";

/** The facts of one call of a verb: who acts, what they may do, and where the call came from. Dependencies are not in here. */
export interface Context {
  readonly actor: Actor;
  readonly ability: Ability;
  readonly requestId: string;
  /** W3C trace id: 32 hex digits. */
  readonly traceId: string;
  /** The client's address, or null where no client is (a job, a command). */
  readonly address: string | null;
  readonly userAgent: string | null;
  /** When the call began; what the verb writes bears this time. */
  readonly now: Instant;
  /** Aborted when the caller has gone or the time is up. */
  readonly signal: AbortSignal;
  /** Whether reads have to see every committed write (see ports/db). True for whatever may write. */
  readonly fresh: boolean;
  /** Shapes the answer that a verb is about to commit, for a request with an `Idempotency-Key`; null for all others. */
  readonly keep: ((value: unknown) => KeptAnswer) | null;
}

/** An answer as it will be sent, with the key that it is stored under. */
export interface KeptAnswer {
  id: string;
  fingerprint: string;
  status: number;
  headers: Record<string, string>;
  body: string;
  expiresAt: Instant;
}
