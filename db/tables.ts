/**
 * Every table, declared once for both dialects. What holds of all of them: a text id that sorts by time and shows its kind, `createdAt`,
 * and, where rows change, `updatedAt` and `version`, which triggers keep honest for direct SQL (sql/<dialect>).
 */
import { getTableColumns, isNull, type Table } from "drizzle-orm";
import { roles } from "../src/core/actor.ts";
import { type Kit, oneOf, pgKit, sqliteKit } from "./kit.ts";
import { defineAudit } from "./tables-audit.ts";
import { definePolicy } from "./tables-policy.ts";
import { defineQueue } from "./tables-queue.ts";

export function define(kit: Kit) {
  const users = kit.table(
    "users",
    {
      ...kit.base(),
      email: kit.text().notNull(),
      name: kit.text().notNull(),
      role: kit.text().$type<(typeof roles)[number]>().notNull(),
      /** What administrators note about the account; its owner does not see it. */
      remark: kit.text(),
      passwordHash: kit.secret(kit.text()),
      /** Soft delete: the audit trail refers to people who have left. Their address is free again. */
      deletedAt: kit.instant(),
    },
    (t) => [
      kit.unique("users_email_unique").on(t.email).where(isNull(t.deletedAt)),
      kit.index("users_created_at_index").on(t.createdAt, t.id),
      kit.index("users_role_index").on(t.role, t.createdAt, t.id),
      kit.check("users_role_check", oneOf(t.role, roles)),
    ],
  );

  /** One login. It ends by logout, by age, by idleness, or when one of its refresh tokens is used twice. */
  const sessions = kit.table(
    "sessions",
    {
      ...kit.base(),
      userId: kit
        .text()
        .notNull()
        .references(() => users.id),
      expiresAt: kit.instant().notNull(),
      idleAt: kit.instant().notNull(),
      revokedAt: kit.instant(),
      address: kit.text(),
      userAgent: kit.text(),
    },
    (t) => [kit.index("sessions_user_index").on(t.userId), kit.index("sessions_expires_at_index").on(t.expiresAt)],
  );

  const refreshTokens = kit.table(
    "refresh_tokens",
    {
      ...kit.base(),
      sessionId: kit
        .text()
        .notNull()
        .references(() => sessions.id, { onDelete: "cascade" }),
      tokenHash: kit.secret(kit.text().notNull()),
      usedAt: kit.instant(),
    },
    (t) => [
      kit.unique("refresh_tokens_token_hash_unique").on(t.tokenHash),
      kit.index("refresh_tokens_session_index").on(t.sessionId),
    ],
  );

  /** The stored answer of a mutation that was sent with an `Idempotency-Key`; it commits with the mutation. */
  const idempotencyKeys = kit.table(
    "idempotency_keys",
    {
      ...kit.entry(),
      fingerprint: kit.text().notNull(),
      status: kit.int().notNull(),
      headers: kit.json<Record<string, string>>().notNull(),
      body: kit.text().notNull(),
      expiresAt: kit.instant().notNull(),
    },
    (t) => [kit.index("idempotency_keys_expires_at_index").on(t.expiresAt)],
  );

  /**
   * The database driver of the limits port. A key has a row while any of its limit is in use. There is no index but the key's: each hit
   * changes `emptyAt`, and PostgreSQL writes only the row itself (a heap-only update) as long as no index holds what changes.
   */
  const limitCounters = kit.table("limit_counters", {
    ...kit.entry(),
    /** When the key's whole limit is free again: milliseconds since the epoch, with fractions, by the database's clock. */
    emptyAt: kit.real().notNull(),
  });

  return {
    users,
    sessions,
    refreshTokens,
    idempotencyKeys,
    limitCounters,
    ...defineAudit(kit),
    ...definePolicy(kit),
    ...defineQueue(kit),
  };
}

export type Tables = ReturnType<typeof define>;

export const pgTables: Tables = define(pgKit);

export const tablesOf = (dialect: "pg" | "sqlite"): Tables => (dialect === "pg" ? pgTables : define(sqliteKit));

/** Whether a column was declared with `kit.secret`. */
export const isSecret = (column: unknown): boolean =>
  (column as { config?: { secret?: true } }).config?.secret === true;

/** The names of all secret columns, as TypeScript writes them. */
export const secretNames: ReadonlySet<string> = new Set(
  Object.values(pgTables).flatMap((table) =>
    Object.entries(getTableColumns(table as Table)).flatMap(([key, column]) => (isSecret(column) ? [key] : [])),
  ),
);
