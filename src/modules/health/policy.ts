import type { Actor } from "../../core/actor.ts";
import type { Rules } from "../../policy/ability.ts";
import type { SubjectSpec } from "../../policy/subjects.ts";

/** Who bears the configured probe token: a monitor, which sees how the service is and nothing else. */
export const probeActor: Actor = { type: "apiKey", id: "probe", role: "user" };

export const healthSubject: SubjectSpec = { fields: [], judged: [] };

export const healthRules: Rules = (actor, { can }) => {
  const isAdmin = actor.type === "user" && actor.role === "admin";
  if (isAdmin || actor === probeActor) can("read", "Health");
};
