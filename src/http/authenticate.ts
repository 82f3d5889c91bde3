import { type Actor, actorId } from "../core/actor.ts";
import { AppError } from "../core/error.ts";
import type { Ability } from "../policy/ability.ts";
import { factsOf, type HttpContext } from "./facts.ts";
import type { Step } from "./step.ts";

/** Who bears a token, and what they may do. Implemented by modules/auth. */
export interface Authenticator {
  /** Throws `unauthenticated` for a token that is not valid now. */
  authenticate(token: string): Promise<{ actor: Actor; ability: Ability }>;
  /** The bearer of a token that was verified before, without looking anything up; null when it has to be verified first. */
  recall(token: string, now: number): Known | null;
  /** What nobody in particular may do. */
  guest: Ability;
}

export interface Known {
  readonly actor: Actor;
  readonly ability: Ability;
  /** Milliseconds since the epoch. Until then what the bearer may do need not be looked up again. */
  readonly checkedUntil: number;
}

const BEARER = /^Bearer +([\w.~+/-]+=*)$/i;

/** The token of `Authorization: Bearer` (RFC 6750, 2.1); null without the header. */
function bearerOf(c: HttpContext): string | null {
  const header = c.req.raw.headers.get("authorization");
  if (header === null) return null;
  const token = BEARER.exec(header)?.[1];
  if (!token)
    throw new AppError("unauthenticated", { detail: "The Authorization header does not hold a bearer token." });
  return token;
}

/** Makes the request's actor known. Without a token it is nobody; with one that is not valid the request is refused. */
export const authenticate =
  (authenticator: Authenticator): Step =>
  (c, next) => {
    const facts = factsOf(c);
    const { known } = facts;
    if (!known || known.checkedUntil <= facts.clock) return lookUp(authenticator, c).then(next);
    facts.actor = known.actor;
    facts.ability = known.ability;
    return next();
  };

async function lookUp(authenticator: Authenticator, c: HttpContext): Promise<void> {
  const facts = factsOf(c);
  const token = bearerOf(c);
  if (token === null) facts.ability = authenticator.guest;
  else ({ actor: facts.actor, ability: facts.ability } = await authenticator.authenticate(token));
}

/** For routes where no token is looked at. */
export const asGuest =
  ({ guest }: Authenticator): Step =>
  (c, next) => {
    factsOf(c).ability = guest;
    return next();
  };

/** Whom a request is counted for before it is authenticated: the actor of a token that was verified before, else the address. */
export const clientOf =
  ({ recall }: Authenticator) =>
  (c: HttpContext): string => {
    const facts = factsOf(c);
    const token = BEARER.exec(c.req.raw.headers.get("authorization") ?? "")?.[1];
    facts.known = token === undefined ? null : recall(token, facts.clock);
    return (facts.known && actorId(facts.known.actor)) ?? facts.address ?? "unknown";
  };
