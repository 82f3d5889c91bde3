import type { Rules } from "../../policy/ability.ts";
import type { SubjectSpec } from "../../policy/subjects.ts";
import { probeActor } from "../health/policy.ts";
import { listedColumns } from "./list.ts";

/** What tells how a job is, and nothing of whom or what it is about: no payload, no key that was made of one. */
const ABOUT = [
  "id",
  "createdAt",
  "name",
  "queue",
  "state",
  "priority",
  "runAt",
  "inputVersion",
  "attempt",
  "maxAttempts",
  "workerId",
  "expiresAt",
  "deadlineAt",
  "scheduleName",
  "startedAt",
  "finishedAt",
] as const;

/** Verbs that change jobs are about many of them at once, and do not ask about each. */
export const jobSubject: SubjectSpec = {
  columns: listedColumns,
  fields: [...ABOUT, "error", "input", "progress", "result", "groupKey", "uniqueKey", "actor", "requestId", "traceId"],
  judged: ["list", "read"],
};
export const queueSubject: SubjectSpec = { fields: [], judged: [] };

/** Administrators operate the queue. A monitor sees how it is, and not what jobs were given or have answered. */
export const jobRules: Rules = (actor, { can }) => {
  if (actor.type === "user" && actor.role === "admin") can("manage", ["Job", "Queue"]);
  if (actor !== probeActor) return;
  can(["list", "read"], "Queue");
  can(["list", "read"], "Job", [...ABOUT]);
};
