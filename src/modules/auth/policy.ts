import type { Rules } from "../../policy/ability.ts";

/** Everybody ends their own sessions. */
export const authRules: Rules = (actor, { can }) => {
  if (actor.type === "user") can("delete", "Session", { userId: actor.id });
};
