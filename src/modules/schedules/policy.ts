import type { Rules } from "../../policy/ability.ts";
import type { SubjectSpec } from "../../policy/subjects.ts";
import { probeActor } from "../health/policy.ts";

export const scheduleSubject: SubjectSpec = { fields: [], judged: [] };

/** Administrators operate schedules; a monitor sees them and their history. */
export const scheduleRules: Rules = (actor, { can }) => {
  if (actor.type === "user" && actor.role === "admin") can("manage", "Schedule");
  if (actor === probeActor) can(["list", "read"], "Schedule");
};
