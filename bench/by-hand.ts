/** What the two hand-written servers share: who bears a token, and the statements. */
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose";
import postgres from "postgres";

export interface Bearer {
  userId: string;
  role: string;
  expiresAt: number;
}

export interface Settings {
  port: number;
  sql: postgres.Sql;
  bearerOf(authorization: string | null): Promise<Bearer | null> | Bearer | null;
}

/**
 * A token is verified, and its session and account looked up, when it is first seen; after that it is remembered until it expires. So it
 * is the least that can be done for these tokens, and less than what Hearth does: a session that ends is not noticed.
 */
export function settings(env: Record<string, string | undefined>): Settings {
  const sql = postgres(env.DATABASE_URL as string, { max: 10, onnotice: () => {} });
  const { keys } = JSON.parse(env.JWT_KEYS as string) as JSONWebKeySet;
  const keySet = createLocalJWKSet({ keys: keys.map(({ d: _, ...open }) => open) as JSONWebKeySet["keys"] });
  const known = new Map<string, Bearer>();

  async function look(token: string): Promise<Bearer | null> {
    try {
      const options = { issuer: env.PUBLIC_URL as string, audience: "hearth", algorithms: ["EdDSA"], typ: "at+jwt" };
      const { payload } = await jwtVerify(token, keySet, options);
      const [row] = await sql`
        select u.id, u.role from sessions s join users u on u.id = s.user_id
        where s.id = ${String(payload.sid)} and s.revoked_at is null and s.expires_at > now() and u.deleted_at is null`;
      if (!row) return null;
      const bearer = { userId: row.id, role: row.role, expiresAt: (payload.exp as number) * 1000 };
      known.set(token, bearer);
      return bearer;
    } catch {
      return null;
    }
  }

  return {
    port: Number(env.PORT),
    sql,
    bearerOf(authorization) {
      if (!authorization?.startsWith("Bearer ")) return null;
      const token = authorization.slice(7);
      const bearer = known.get(token);
      return bearer && bearer.expiresAt > Date.now() ? bearer : look(token);
    },
  };
}

export const findMe = (sql: postgres.Sql, id: string) => sql`
  select id, created_at as "createdAt", updated_at as "updatedAt", version, email, name, role
  from users where id = ${id} and deleted_at is null`;

export const listUsers = (sql: postgres.Sql, limit: number, after: [string, string] | null) =>
  after
    ? sql`
      select id, created_at as "createdAt", updated_at as "updatedAt", version, email, name, role, remark
      from users where deleted_at is null and (created_at, id) < (${after[0]}::timestamptz, ${after[1]})
      order by created_at desc, id desc limit ${limit}`
    : sql`
      select id, created_at as "createdAt", updated_at as "updatedAt", version, email, name, role, remark
      from users where deleted_at is null order by created_at desc, id desc limit ${limit}`;

/** Cuts the row that tells whether there is more, and makes the cursor of the next page; without a tag against changes. */
export function nextOf(rows: postgres.RowList<postgres.Row[]>, limit: number): string | null {
  if (rows.length <= limit) return null;
  rows.length = limit;
  const last = rows[limit - 1] as postgres.Row;
  return Buffer.from(`${last.createdAt.toISOString()}|${last.id}`).toString("base64url");
}

export function afterOf(cursor: string): [string, string] | null {
  const [at, id] = Buffer.from(cursor, "base64url").toString("latin1").split("|");
  return at && id && !Number.isNaN(Date.parse(at)) ? [at, id] : null;
}

export const logLine = (id: string, actor: string | null, method: string, route: string, status: number, t0: number) =>
  `{"level":"info","time":"${new Date().toISOString()}","requestId":"${id}","actor":${actor && `"${actor}"`},"method":"${method}","route":"${route}","status":${status},"ms":${(performance.now() - t0).toFixed(2)},"msg":"request"}\n`;
