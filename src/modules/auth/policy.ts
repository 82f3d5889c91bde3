import type { Rules } from "../../policy/ability.ts";
import type { SubjectSpec } from "../../policy/subjects.ts";

/** Everybody ends their own sessions. */
export const authRules: Rules = (actor, { can }) => {
  if (actor.type === "user") can("delete", "Session", { userId: actor.id });
};

/** Sessions are ended by whoever has them, and looked at by nobody. */
export const sessionSubject: SubjectSpec = { fields: [], judged: [] };
