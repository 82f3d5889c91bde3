import { and, eq, gt, isNull, sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import type { Person } from "../../core/actor.ts";
import type { Instant } from "../../core/clock.ts";
import { placeholders, value } from "../../ports/db/placeholders.ts";
import type { Builders, Db, Dialect } from "../../ports/db/port.ts";
import { rulesStamp } from "../policy/store.ts";

const fresh = { fresh: true };

export const insertSession = (q: Builders, { sessions }: Tables) => q.insert(sessions).values(placeholders(sessions));

export const insertRefreshToken = (q: Builders, { refreshTokens }: Tables) =>
  q.insert(refreshTokens).values(placeholders(refreshTokens));

/** Touches no row when the token was used in the meantime. */
export const useRefreshToken = (q: Builders, { refreshTokens }: Tables) =>
  q
    .update(refreshTokens)
    .set({
      usedAt: value("now", refreshTokens.usedAt),
      updatedAt: value("now", refreshTokens.updatedAt),
      version: sql`${refreshTokens.version} + 1`,
    })
    .where(and(eq(refreshTokens.id, sql.placeholder("id")), isNull(refreshTokens.usedAt)));

export const touchSession = (q: Builders, { sessions }: Tables) =>
  q
    .update(sessions)
    .set({
      idleAt: value("idleAt", sessions.idleAt),
      updatedAt: value("now", sessions.updatedAt),
      version: sql`${sessions.version} + 1`,
    })
    .where(and(eq(sessions.id, sql.placeholder("id")), isNull(sessions.revokedAt)));

export const revokeSession = (q: Builders, { sessions }: Tables) =>
  q
    .update(sessions)
    .set({
      revokedAt: value("now", sessions.revokedAt),
      updatedAt: value("now", sessions.updatedAt),
      version: sql`${sessions.version} + 1`,
    })
    .where(and(eq(sessions.id, sql.placeholder("id")), isNull(sessions.revokedAt)));

export const updatePasswordHash = (q: Builders, { users }: Tables) =>
  q
    .update(users)
    .set({
      passwordHash: value("passwordHash", users.passwordHash),
      updatedAt: value("now", users.updatedAt),
      version: sql`${users.version} + 1`,
    })
    .where(and(eq(users.id, sql.placeholder("id")), eq(users.passwordHash, sql.placeholder("seen"))));

const selectAccount = (q: Builders, { users }: Tables) =>
  q
    .select({ id: users.id, passwordHash: users.passwordHash })
    .from(users)
    .where(and(eq(users.email, sql.placeholder("email")), isNull(users.deletedAt)));

const open = ({ sessions, users }: Tables) =>
  and(
    isNull(sessions.revokedAt),
    gt(sessions.expiresAt, value("now", sessions.expiresAt)),
    gt(sessions.idleAt, value("now", sessions.idleAt)),
    isNull(users.deletedAt),
  );

/** With the stamp of the bearer's rules, so that nobody asks for these as long as they are the same. */
const selectBearer = (dialect: Dialect) => (q: Builders, t: Tables) =>
  q
    .select({
      id: t.users.id,
      role: t.users.role,
      rules: rulesStamp(dialect, t, { role: sql`${t.users.role}`, user: sql`${t.users.id}` }),
    })
    .from(t.sessions)
    .innerJoin(t.users, eq(t.users.id, t.sessions.userId))
    .where(and(eq(t.sessions.id, sql.placeholder("id")), open(t)));

const selectRefreshToken = (q: Builders, { refreshTokens, sessions }: Tables) =>
  q
    .select({
      id: refreshTokens.id,
      usedAt: refreshTokens.usedAt,
      sessionId: sessions.id,
      userId: sessions.userId,
      expiresAt: sessions.expiresAt,
    })
    .from(refreshTokens)
    .innerJoin(sessions, eq(sessions.id, refreshTokens.sessionId))
    .where(eq(refreshTokens.tokenHash, sql.placeholder("tokenHash")));

export interface BearerState {
  actor: Person;
  /** Names the rules that are stored for the actor; see modules/policy/store.ts. */
  rules: string | null;
}

export function createAuthStore(db: Db) {
  const bearerOf = selectBearer(db.dialect);
  return {
    async account(email: string) {
      const [row] = await db.all(db.prepare(selectAccount)({ email }), fresh);
      return row ?? null;
    },
    /** The actor of a session that is open now. */
    async bearer(sessionId: string, now: Instant): Promise<BearerState | null> {
      const [row] = await db.all(db.prepare(bearerOf)({ id: sessionId, now }), fresh);
      return row ? { actor: { type: "user", id: row.id, role: row.role, sessionId }, rules: row.rules } : null;
    },
    async refreshToken(tokenHash: string) {
      const [row] = await db.all(db.prepare(selectRefreshToken)({ tokenHash }), fresh);
      return row ?? null;
    },
  };
}
