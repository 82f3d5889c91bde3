import { getTableColumns } from "drizzle-orm/utils";
import type { Tables } from "../../../db/tables.ts";
import type { Rules } from "../../policy/ability.ts";
import type { SubjectSpec } from "../../policy/subjects.ts";

/** The columns of every read of the trail. */
export const auditColumns = ({ auditEntries }: Tables) => getTableColumns(auditEntries);

export const auditSubject: SubjectSpec = {
  columns: auditColumns,
  fields: [
    ...["actorType", "actorId", "impersonatorId", "apiKeyId", "organizationId", "action", "entityType", "entityId"],
    ...["oldValue", "newValue", "reason", "requestId", "traceId", "address", "userAgent"],
  ],
  judged: ["list", "read"],
};
export const auditSealSubject: SubjectSpec = { fields: [], judged: [] };

/**
 * Administrators read the whole trail, and what it tells of sessions, which no other route shows. Everybody reads what they did themselves.
 * What an entry tells of a row is shown to those who may read that field of that row (shown.ts).
 */
export const auditRules: Rules = (actor, { can }) => {
  if (actor.type !== "user") return;
  if (actor.role === "admin") {
    can("manage", ["AuditEntry", "AuditSeal"]);
    return can("read", "Session");
  }
  can(["list", "read"], "AuditEntry", { actorType: "user", actorId: actor.id });
};
