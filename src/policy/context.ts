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
  /** Why the caller does this, if they say so; for the audit trail. */
  readonly reason: string | null;
  /** When the call began; what the verb writes bears this time. */
  readonly now: Instant;
  /** Aborted when the caller has gone or the time is up. */
  readonly signal: AbortSignal;
  /** Whether reads have to see every committed write (see ports/db). True for whatever may write. */
  readonly fresh: boolean;
  /** Shapes the answer that a verb is about to commit, for a request with an `Idempotency-Key`; null for all others. */
  readonly keep: ((value: unknown) => KeptAnswer) | null;
  /** The fields that can be changed, where the answer is to say of each row what the actor may do to it; null otherwise. */
  readonly permissions: readonly string[] | null;
}

/** The same call by another actor. A context is not spread: some of its members are asked for only when they are read. */
export const actingAs = (ctx: Context, actor: Actor, ability: Ability): Context => ({
  actor,
  ability,
  requestId: ctx.requestId,
  traceId: ctx.traceId,
  address: ctx.address,
  userAgent: ctx.userAgent,
  reason: ctx.reason,
  now: ctx.now,
  signal: ctx.signal,
  fresh: ctx.fresh,
  keep: ctx.keep,
  permissions: ctx.permissions,
});

/** What is known of work that no request is waiting for: a job's own context is one. */
export interface Inward {
  readonly requestId: string | null;
  readonly traceId: string | null;
  readonly now: Instant;
  readonly signal: AbortSignal;
}

/** The context in which a job, a schedule or a command calls a verb: as whoever caused it, with the ids of the request that did. */
export const inward = (
  by: Inward,
  {
    actor,
    ability,
    userAgent = null,
    reason = null,
  }: Pick<Context, "actor" | "ability"> & Partial<Pick<Context, "userAgent" | "reason">>,
): Context => ({
  actor,
  ability,
  requestId: by.requestId ?? crypto.randomUUID(),
  traceId: by.traceId ?? crypto.randomUUID().replaceAll("-", ""),
  address: null,
  userAgent,
  reason,
  now: by.now,
  signal: by.signal,
  fresh: true,
  keep: null,
  permissions: null,
});

/** An answer as it will be sent, with the key that it is stored under. */
export interface KeptAnswer {
  id: string;
  fingerprint: string;
  status: number;
  headers: Record<string, string>;
  body: string;
  expiresAt: Instant;
}
