/**
 * Access tokens (RFC 9068) and what is remembered of them.
 *
 * Checking a signature costs about 100 µs; a token that was checked is remembered until it expires. What its bearer may do is not in the
 * token but in the database, and is remembered for `stateTtlMs` only: a change made by this process is forgotten at once, one made by
 * another process is seen within that time.
 */
import { decodeProtectedHeader, errors as joseErrors, jwtVerify, SignJWT } from "jose";
import { type Actor, anonymous } from "../../core/actor.ts";
import type { Clock } from "../../core/clock.ts";
import { AppError } from "../../core/error.ts";
import type { Secret } from "../../core/secret.ts";
import type { Authenticator } from "../../http/authenticate.ts";
import type { Ability, AbilityFactory } from "../../policy/ability.ts";
import { probeActor } from "../health/policy.ts";
import type { Revocations } from "../users/service.ts";
import { ALGORITHM, type KeySet } from "./keys.ts";
import { recent } from "./recent.ts";
import { hashToken } from "./refresh-token.ts";

export interface TokenOptions {
  keys: KeySet;
  issuer: string;
  audience: string;
  ttlS: number;
  /** How long a bearer's state may be remembered; 0 where several processes answer for one another, as on Workers. */
  stateTtlMs: number;
  /** A fixed token for monitors, which may see how the service is. */
  probeToken: Secret | null;
}

interface TokenDeps extends TokenOptions {
  clock: Clock;
  abilities: AbilityFactory;
  /** The actor of a session that is open now; null when it has ended. */
  bearerOf: (sessionId: string) => Promise<Extract<Actor, { type: "user" }> | null>;
}

export interface Tokens extends Authenticator, Revocations {
  issue(userId: string, sessionId: string): Promise<string>;
  forgetSession(sessionId: string): void;
}

interface Bearer {
  actor: Extract<Actor, { type: "user" }>;
  ability: Ability;
  /** Until when the database need not be asked again; the rest is kept for longer, to be compared with what it says then. */
  checkedUntil: number;
}

const MAX_REMEMBERED = 20_000;
const MAX_TOKEN = 4096;
const TYPE = "at+jwt";

const invalid = (cause?: unknown) => new AppError("unauthenticated", { cause });

export function createTokens(deps: TokenDeps): Tokens {
  const { keys, issuer, audience, ttlS, stateTtlMs, clock, abilities, bearerOf } = deps;
  const sessions = recent<string>(MAX_REMEMBERED, clock);
  const bearers = recent<Bearer>(MAX_REMEMBERED, clock);

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
    if (before && before.checkedUntil > clock.now()) return before;
    const generation = bearers.generation();
    const actor = await bearerOf(sessionId);
    if (!actor) throw new AppError("unauthenticated", { detail: "The session has ended." });
    // What an actor may do follows from the actor alone: while that is the same, so is its ability, and all that was derived from it.
    const same = before && before.actor.id === actor.id && before.actor.role === actor.role;
    const found: Bearer = {
      actor: same ? before.actor : actor,
      ability: same ? before.ability : abilities.abilityFor(actor),
      checkedUntil: clock.now() + stateTtlMs,
    };
    // A change that was made while the database was asked must not be overwritten by what was read before it.
    if (generation === bearers.generation()) bearers.set(sessionId, found, clock.now() + ttlS * 1000);
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
    remembered(token) {
      const sessionId = sessions.get(token);
      return (sessionId && bearers.get(sessionId)?.actor.id) ?? null;
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
    forgetUser: (userId) => bearers.forget(({ actor }) => actor.id === userId),
    forgetSession: (sessionId) => bearers.forget(({ actor }) => actor.sessionId === sessionId),
  };
}
