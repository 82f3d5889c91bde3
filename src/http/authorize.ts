import type { Action, Subject } from "../policy/ability.ts";
import { refused } from "../policy/explain.ts";
import { mayAny } from "../policy/may.ts";
import { factsOf } from "./facts.ts";
import type { Step } from "./step.ts";

/**
 * Refuses an actor that could do this to no row at all: 401 when it is not known who asks, 403 when it is. Which rows it may be done to
 * is decided in the SQL, where what is not allowed does not exist.
 */
export const authorize =
  (action: Action, subject: Subject): Step =>
  (c, next) => {
    const { actor, ability } = factsOf(c);
    if (!ability) throw new Error("a route without authentication has no ability");
    if (mayAny(ability, action, subject)) return next();
    throw refused(actor.type === "anonymous" ? "unauthenticated" : "forbidden", ability, action, subject);
  };
