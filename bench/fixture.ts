/** What the bench runs on: a database of its own with 10,000 accounts, and tokens that a server with these keys accepts. */

import { SignJWT } from "jose";
import postgres from "postgres";
import { ALGORITHM, generateKeys, importKeys } from "../src/modules/auth/keys.ts";
import { migrate } from "../src/ports/db/migrate.ts";
import { createPgDb } from "../src/ports/db/pg.ts";
import { createPostgres } from "../src/ports/db/postgres.ts";

export const ISSUER = "http://bench.localhost";
export const AUDIENCE = "hearth";

const ACCOUNTS = 10_000;
/** So many have a session each: the first half of them as users, the other as administrators. */
const BEARERS = 400;

export interface Fixture {
  url: string;
  /** `JWT_KEYS`. */
  keys: string;
  userTokens: string[];
  adminTokens: string[];
  /** An operator's connection, which is not part of what is measured. */
  sql: postgres.Sql;
  /** Takes away what creates have added, so that every slot finds the same database. */
  reset(): Promise<void>;
  drop(): Promise<void>;
}

/** Of the form that ids have, in the order of `i`. */
export const userId = (i: number) => `user_0${String(i).padStart(25, "0")}`;
const sessionId = (i: number) => `sess_0${String(i).padStart(25, "0")}`;

export async function createFixture(serverUrl: string): Promise<Fixture> {
  const name = `hearth_bench_${process.pid}`;
  const server = postgres(serverUrl, { max: 1, onnotice: () => {} });
  await server.unsafe(`create database ${name}`);
  const at = new URL(serverUrl);
  at.pathname = `/${name}`;
  const url = at.href;
  const db = createPgDb({
    engine: "postgres",
    primary: createPostgres({ url, poolSize: 1, statementTimeoutMs: 60_000, idleTimeoutS: 10 }),
  });
  await migrate(db);
  await db.close();
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  await fill(sql);

  const jwks = await generateKeys();
  const { signer } = await importKeys(jwks);
  const now = Math.floor(Date.now() / 1000);
  const mint = (i: number) =>
    new SignJWT({ sid: sessionId(i) })
      .setProtectedHeader({ alg: ALGORITHM, kid: signer.kid, typ: "at+jwt" })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setSubject(userId(i))
      .setIssuedAt(now)
      .setExpirationTime(now + 86_400)
      .sign(signer.key);
  const tokens = await Promise.all(Array.from({ length: BEARERS }, (_, i) => mint(i + 1)));

  return {
    url,
    keys: JSON.stringify({ keys: jwks }),
    userTokens: tokens.slice(0, BEARERS / 2),
    adminTokens: tokens.slice(BEARERS / 2),
    sql,
    async reset() {
      await sql.unsafe(`delete from users where id >= 'user_00000001'`);
      await sql.unsafe("alter table audit_entries disable trigger user; truncate audit_entries");
      await sql.unsafe("alter table audit_entries enable trigger user");
      await sql.unsafe("vacuum analyze users").simple();
      await sql.unsafe("checkpoint");
    },
    async drop() {
      await sql.end({ timeout: 1 });
      await server.unsafe(`drop database if exists ${name} with (force)`);
      await server.end({ timeout: 1 });
    },
  };
}

async function fill(sql: postgres.Sql): Promise<void> {
  const id = (prefix: string) => `'${prefix}_0' || lpad(i::text, 25, '0')`;
  await sql.unsafe(`
    insert into users (id, created_at, updated_at, version, email, name, role, remark)
    select ${id("user")}, t, t, 1, 'person' || i || '@example.com', 'Person Número ' || i,
      case when i > ${BEARERS / 2} and i <= ${BEARERS} then 'admin' else 'user' end,
      case when i % 5 = 0 then 'Asked "twice" about the invoice.' end
    from generate_series(1, ${ACCOUNTS}) i, lateral (select '2026-01-01T00:00:00.120Z'::timestamptz + i * interval '1 minute' t) at`);
  await sql.unsafe(`
    insert into sessions (id, user_id, expires_at, idle_at)
    select ${id("sess")}, ${id("user")}, now() + interval '1 day', now() + interval '1 day'
    from generate_series(1, ${BEARERS}) i`);
  // A vacuum in the middle of a slot would be measured with it.
  for (const table of ["users", "sessions", "audit_entries"]) {
    await sql.unsafe(`alter table ${table} set (autovacuum_enabled = false)`);
    await sql.unsafe(`vacuum analyze ${table}`);
  }
}
