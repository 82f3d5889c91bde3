/** The tables of the audit trail. What holds of them together: docs/guides/audit.md. All are append-only, by trigger. */
import { isNotNull } from "drizzle-orm";
import type { Kit } from "./kit.ts";

export function defineAudit(kit: Kit) {
  /** What happened. An entry is hashed without its empty columns, so that a later column changes no hash. */
  const auditEntries = kit.table(
    "audit_entries",
    {
      ...kit.entry(),
      /** `user`, `apiKey`, `system`, `anonymous`; or `database`, for what was changed by SQL beside the verbs. */
      actorType: kit.text().notNull(),
      actorId: kit.text(),
      /** As what else it was done (src/core/actor.ts). */
      impersonatorId: kit.text(),
      apiKeyId: kit.text(),
      organizationId: kit.text(),
      action: kit.text().notNull(),
      entityType: kit.text().notNull(),
      entityId: kit.text().notNull(),
      oldValue: kit.json<Record<string, unknown> | null>(),
      newValue: kit.json<Record<string, unknown> | null>(),
      /** What whoever did it gave as the reason. */
      reason: kit.text(),
      requestId: kit.text(),
      traceId: kit.text(),
      address: kit.text(),
      userAgent: kit.text(),
    },
    (t) => [
      kit.index("audit_entries_created_at_index").on(t.createdAt, t.id),
      kit.index("audit_entries_entity_index").on(t.entityId, t.createdAt, t.id),
      kit.index("audit_entries_actor_index").on(t.actorId, t.createdAt, t.id),
      kit.index("audit_entries_action_index").on(t.action, t.createdAt, t.id),
      // An entry outside of any organization costs nothing here.
      kit
        .index("audit_entries_organization_index")
        .on(t.organizationId, t.createdAt, t.id)
        .where(isNotNull(t.organizationId)),
    ],
  );

  /** The place of a sealed entry, under the entry's own id. It is apart from the entry, which is never updated. */
  const auditLeaves = kit.table(
    "audit_leaves",
    {
      ...kit.entry(),
      /** From 0, without gaps. */
      position: kit.int().notNull(),
      /** The leaf's hash (RFC 9162, 2.1.1), in base64url. */
      hash: kit.text().notNull(),
    },
    (t) => [kit.unique("audit_leaves_position_unique").on(t.position)],
  );

  /** Signed heads of the tree of all entries, each over those of the one before and more. */
  const auditSeals = kit.table(
    "audit_seals",
    {
      ...kit.entry(),
      /** From 1, without gaps. */
      number: kit.int().notNull(),
      /** How many entries the tree has. */
      size: kit.int().notNull(),
      /** How many entries at the beginning may be pruned. */
      pruned: kit.int().notNull(),
      /** The hashes of the tree's complete subtrees, largest first: all that is needed to go on from here. */
      peaks: kit.json<string[]>().notNull(),
      /** The signed statement (RFC 7515): what verification believes, and nothing else of this row. */
      jws: kit.text().notNull(),
    },
    (t) => [kit.unique("audit_seals_number_unique").on(t.number)],
  );

  return { auditEntries, auditLeaves, auditSeals };
}
