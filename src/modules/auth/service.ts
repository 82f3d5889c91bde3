import { addMs, type Instant } from "../../core/clock.ts";
import { AppError } from "../../core/error.ts";
import { idPrefixes, newId } from "../../core/id.ts";
import { count } from "../../http/limit.ts";
import type { Context } from "../../policy/context.ts";
import { type Bound, type Db, must, type Tx } from "../../ports/db/port.ts";
import { isStale } from "../../ports/db/stale.ts";
import type { Limits, Rule } from "../../ports/limits/port.ts";
import type { Passwords } from "../../ports/passwords/port.ts";
import { audit } from "../audit/statement.ts";
import type { Users } from "../users/service.ts";
import { hashToken, newRefreshToken } from "./refresh-token.ts";
import type { Credentials, Registration } from "./schema.ts";
import {
  createAuthStore,
  insertRefreshToken,
  insertSession,
  revokeSession,
  touchSession,
  updatePasswordHash,
  useRefreshToken,
} from "./store.ts";
import type { Tokens } from "./tokens.ts";

export interface AuthOptions {
  /** The longest that a session lasts, and the longest that it lasts unused, in seconds. */
  sessionTtlS: number;
  sessionIdleS: number;
  accessTtlS: number;
  /** Failed logins of one account from one address; null for no limit. */
  loginRule: Rule | null;
}

export interface AuthDeps extends AuthOptions {
  db: Db;
  users: Users;
  passwords: Passwords;
  tokens: Tokens;
  limits: Limits;
}

export type Auth = ReturnType<typeof createAuth>;

const refused = () => new AppError("invalid_credentials");

export function createAuth(deps: AuthDeps) {
  const { db, users, passwords, tokens, limits } = deps;
  const store = createAuthStore(db);
  // Verified against when there is no account, so that the time of a refusal does not tell whether there is one.
  let decoy: Promise<string> | undefined;
  const decoyHash = () => {
    decoy ??= passwords.hash(crypto.randomUUID());
    return decoy;
  };

  const idleAt = (ctx: Context, expiresAt: Instant): Instant => {
    const idle = addMs(ctx.now, deps.sessionIdleS * 1000);
    return idle < expiresAt ? idle : expiresAt;
  };

  const tokenRow = (tx: Tx, ctx: Context, sessionId: string, tokenHash: string): Bound =>
    tx.prepare(insertRefreshToken)({
      id: newId(idPrefixes.refreshToken),
      createdAt: ctx.now,
      updatedAt: ctx.now,
      version: 1,
      sessionId,
      tokenHash,
      usedAt: null,
    });

  async function pair(userId: string, sessionId: string, refreshToken: string) {
    const accessToken = await tokens.issue(userId, sessionId);
    return { accessToken, refreshToken, tokenType: "Bearer" as const, expiresIn: deps.accessTtlS };
  }

  async function end(ctx: Context, sessionId: string, action: string): Promise<void> {
    await db
      .atomic((tx) => [
        audit(tx, ctx, { action, entity: { type: "Session", id: sessionId } }),
        must(tx.prepare(revokeSession)({ id: sessionId, now: ctx.now })),
      ])
      .catch((error) => {
        // It has ended already, which is what was wanted.
        if (!isStale(error)) throw error;
      });
    tokens.forgetSession(sessionId);
  }

  /** Another login may have been faster, which is as good. */
  async function rehash(ctx: Context, id: string, seen: string, passwordHash: string): Promise<void> {
    const change = { before: { passwordHash: seen }, after: { passwordHash } };
    await db
      .atomic((tx) => [
        audit(tx, ctx, { action: "user.rehash", entity: { type: "User", id }, ...change }),
        must(tx.prepare(updatePasswordHash)({ id, passwordHash, seen, now: ctx.now })),
      ])
      .catch((error) => {
        if (!isStale(error)) throw error;
      });
  }

  return {
    register: (ctx: Context, input: Registration) => users.register(ctx, input),

    async login(ctx: Context, { email, password }: Credentials) {
      const key = `${email} ${ctx.address}`;
      // Counted before the password is looked at, so that guesses that arrive together count together.
      if (deps.loginRule) await count({ limits, name: "login", rule: deps.loginRule, key });
      const account = await store.account(email);
      const hash = account?.passwordHash ?? (await decoyHash());
      const { ok, stale } = await passwords.verify(password, hash);
      if (!ok || !account?.passwordHash) throw refused();
      if (deps.loginRule) await limits.reset(`login:${key}`);

      const rehashed = stale ? await passwords.hash(password) : null;
      const sessionId = newId(idPrefixes.session);
      const expiresAt = addMs(ctx.now, deps.sessionTtlS * 1000);
      const refreshToken = newRefreshToken();
      const tokenHash = await hashToken(refreshToken);
      const session = {
        id: sessionId,
        createdAt: ctx.now,
        updatedAt: ctx.now,
        version: 1,
        userId: account.id,
        expiresAt,
        idleAt: idleAt(ctx, expiresAt),
        revokedAt: null,
        address: ctx.address,
        userAgent: ctx.userAgent,
      };
      await db.atomic((tx) => [
        audit(tx, ctx, { action: "session.create", entity: { type: "Session", id: sessionId }, after: session }),
        tx.prepare(insertSession)(session),
        tokenRow(tx, ctx, sessionId, tokenHash),
      ]);
      if (rehashed !== null) await rehash(ctx, account.id, hash, rehashed);
      return pair(account.id, sessionId, refreshToken);
    },

    /** A new pair for a refresh token, once. One that was used before has been stolen, or is being: its whole family ends. */
    async refresh(ctx: Context, refreshToken: string) {
      const seen = await store.refreshToken(await hashToken(refreshToken));
      if (!seen) throw refused();
      if (seen.usedAt !== null) {
        await end(ctx, seen.sessionId, "session.reuse");
        throw refused();
      }
      const bearer = await store.bearer(seen.sessionId, ctx.now);
      if (!bearer) throw refused();
      const next = newRefreshToken();
      const tokenHash = await hashToken(next);
      try {
        await db.atomic((tx) => [
          audit(tx, ctx, { action: "session.refresh", entity: { type: "Session", id: seen.sessionId } }),
          must(tx.prepare(useRefreshToken)({ id: seen.id, now: ctx.now })),
          must(tx.prepare(touchSession)({ id: seen.sessionId, now: ctx.now, idleAt: idleAt(ctx, seen.expiresAt) })),
          tokenRow(tx, ctx, seen.sessionId, tokenHash),
        ]);
      } catch (error) {
        if (!isStale(error)) throw error;
        await end(ctx, seen.sessionId, "session.reuse");
        throw refused();
      }
      return pair(bearer.actor.id, seen.sessionId, next);
    },

    /** Ends the actor's own session, and that of a refresh token if it is the actor's too. An unknown token has ended already. */
    async logout(ctx: Context, refreshToken: string | undefined): Promise<void> {
      if (ctx.actor.type !== "user") return;
      const { id, sessionId } = ctx.actor;
      const other = refreshToken === undefined ? null : await store.refreshToken(await hashToken(refreshToken));
      if (sessionId) await end(ctx, sessionId, "session.end");
      if (other && other.userId === id && other.sessionId !== sessionId) await end(ctx, other.sessionId, "session.end");
    },
  };
}
