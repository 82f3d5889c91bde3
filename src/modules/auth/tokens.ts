/**
 * Access tokens (RFC 9068) and what is remembered of them.
 *
 * Checking a signature costs about 100 µs; a token that was checked is remembered until it expires. What its bearer may do is not in the
 * token but in the database. It is remembered until a change is told of on the bus: one made by this instance is forgotten before its
 * request is answered, one made by another as soon as the message is here. `stateTtlMs` bounds what was remembered all the same, where
 * the message is late, is lost, or cannot be sent.
 */
import { decodeProtectedHeader, errors as joseErrors, jwtVerify, SignJWT } from "jose";
import { anonymous, type Person } from "../../core/actor.ts";
import { type Clock, unref } from "../../core/clock.ts";
import { AppError } from "../../core/error.ts";
import { idPrefixes } from "../../core/id.ts";
import type { Secret } from "../../core/secret.ts";
import type { Authenticator, Known } from "../../http/authenticate.ts";
import type { AbilityFactory } from "../../policy/ability.ts";
import type { Bus } from "../../ports/bus/port.ts";
import { probeActor } from "../health/policy.ts";
import { RULES_TOPIC, scopesOf } from "../policy/policy.ts";
import type { Rulebook } from "../policy/rulebook.ts";
import type { Revocations } from "../users/service.ts";
import { ALGORITHM, type KeySet } from "./keys.ts";
import { recent } from "./recent.ts";
import { hashToken } from "./refresh-token.ts";
import type { BearerState } from "./store.ts";

export interface TokenOptions {
  keys: KeySet;
  issuer: string;
  audience: string;
  ttlS: number;
  /** How long a bearer's state may be remembered when no change is told of; 0 where instances do not hear each other, as on Workers. */
  stateTtlMs: number;
  /** A fixed token for monitors, which may see how the service is. */
  probeToken: Secret | null;
}

interface TokenDeps extends TokenOptions {
  clock: Clock;
  bus: Bus;
  abilities: AbilityFactory;
  /** The actor of a session that is open now, and what names its rules; null when it has ended. */
  bearerOf: (sessionId: string) => Promise<BearerState | null>;
  rulebook: Rulebook;
}

export interface Tokens extends Authenticator, Revocations {
  issue(userId: string, sessionId: string): Promise<string>;
  forgetSession(sessionId: string): void;
}

/** Kept for longer than `checkedUntil`, to be compared with what the database says then. */
interface Bearer extends Known {
  readonly actor: Person;
  /** Names the rules that the ability was made of. */
  readonly rules: string;
  /** Whether somebody looks already what it will be after `checkedUntil`. */
  isLookedUp: boolean;
}

/** Of `stateTtlMs`, what is left when a bearer who is busy is looked up ahead, so that no request waits for it. */
const AHEAD = 0.25;

/**
 * For how long after `checkedUntil` a bearer is kept, in milliseconds. Their ability and what was derived from it are 8 KB, scattered over
 * blocks of 16: of 400 bearers 15 MiB stayed resident when none was there any more. Made anew, it takes 20 to 40 µs.
 */
const KEPT_MS = 2000;

const MAX_REMEMBERED = 20_000;
const SWEEP_MS = 1000;
const MAX_TOKEN = 4096;
const TYPE = "at+jwt";
/** The topic on which instances tell each other the id of a user or a session whose bearers are to be looked up anew. */
const TOPIC = "sessions";
const SESSION = `${idPrefixes.session}_`;

const invalid = (cause?: unknown) => new AppError("unauthenticated", { cause });

export function createTokens(deps: TokenDeps): Tokens {
  const { keys, issuer, audience, ttlS, stateTtlMs, clock, bus, abilities, bearerOf, rulebook } = deps;
  const sessions = recent<string>(MAX_REMEMBERED, clock);
  const bearers = recent<Bearer>(MAX_REMEMBERED, clock);
  bus.subscribe(TOPIC, {
    // A session has one entry, and ends far more often than an account changes, whose entries take a look at all.
    message: (id) => (id.startsWith(SESSION) ? bearers.delete(id) : bearers.forget(({ actor }) => actor.id === id)),
    missed: () => bearers.forget(() => true),
  });

  bus.subscribe(RULES_TOPIC, {
    message: (scope) => bearers.forget(({ actor }) => scopesOf(actor).includes(scope)),
    missed: () => bearers.forget(() => true),
  });

  const sweep = () => {
    bearers.sweep();
    sessions.sweep();
  };
  if (stateTtlMs > 0) unref(setInterval(sweep, SWEEP_MS));

  const probe = deps.probeToken && hashToken(deps.probeToken.reveal());

  async function verify(token: string): Promise<string> {
    if (token.length > MAX_TOKEN) throw invalid();
    try {
      const key = keys.verifiers.get(decodeProtectedHeader(token).kid ?? "");
      if (!key) throw invalid();
      const { payload } = await jwtVerify(token, key, {
        algorithms: [ALGORITHM],
        typ: TYPE,
        issuer,
        audience,
        requiredClaims: ["sub", "sid", "iat", "exp"],
        currentDate: new Date(clock.now()),
      });
      const sessionId = String(payload.sid);
      sessions.set(token, sessionId, (payload.exp as number) * 1000);
      return sessionId;
    } catch (error) {
      if (error instanceof joseErrors.JWTExpired)
        throw new AppError("unauthenticated", { detail: "The access token has expired." });
      throw error instanceof AppError ? error : invalid(error);
    }
  }

  async function bearer(sessionId: string): Promise<Bearer> {
    const before = bearers.get(sessionId);
    return before && before.checkedUntil > clock.now() ? before : look(sessionId, before);
  }

  async function look(sessionId: string, before: Bearer | undefined): Promise<Bearer> {
    const generation = bearers.generation();
    const state = await bearerOf(sessionId);
    if (!state) {
      if (before) bearers.delete(sessionId);
      throw new AppError("unauthenticated", { detail: "The session has ended." });
    }
    const { actor } = state;
    const stored = await rulebook.rulesOf(actor, state.rules);
    // What an actor may do follows from the actor and its rules: while both are the same, so is its ability, and all that was derived from it.
    const same =
      before && before.actor.id === actor.id && before.actor.role === actor.role && before.rules === stored.stamp;
    const found: Bearer = {
      actor: same ? before.actor : actor,
      ability: same ? before.ability : abilities.abilityFor(actor, stored.rules),
      rules: stored.stamp,
      checkedUntil: clock.now() + stateTtlMs,
      isLookedUp: false,
    };
    // A change that was made while the database was asked must not be overwritten by what was read before it.
    if (generation === bearers.generation()) bearers.set(sessionId, found, found.checkedUntil + KEPT_MS);
    return found;
  }

  return {
    guest: abilities.abilityFor(anonymous),
    async authenticate(token) {
      const known = sessions.get(token);
      // Hashes are compared, so that the time does not tell how much of a guess was right.
      if (!known && probe && (await hashToken(token)) === (await probe)) {
        return { actor: probeActor, ability: abilities.abilityFor(probeActor) };
      }
      return bearer(known ?? (await verify(token)));
    },
    recall(token, now) {
      const sessionId = sessions.get(token);
      const found = sessionId === undefined ? undefined : bearers.get(sessionId);
      if (!sessionId || !found) return null;
      const left = found.checkedUntil - now;
      if (left > 0 && left < stateTtlMs * AHEAD && !found.isLookedUp) {
        found.isLookedUp = true;
        // What fails here is found out by the first request that has to look itself.
        look(sessionId, found).catch(() => {});
      }
      return found;
    },
    issue(userId, sessionId) {
      const now = Math.floor(clock.now() / 1000);
      return new SignJWT({ sid: sessionId })
        .setProtectedHeader({ alg: ALGORITHM, kid: keys.signer.kid, typ: TYPE })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(userId)
        .setIssuedAt(now)
        .setExpirationTime(now + ttlS)
        .sign(keys.signer.key);
    },
    forgetUser: (userId) => bus.publish(TOPIC, userId),
    forgetSession: (sessionId) => bus.publish(TOPIC, sessionId),
  };
}
