/**
 * What a database starts with: an administrator in every mode, and sample data outside of production, from db/mock-data.
 *
 * A sample is written once in the life of a database. Its audit entry commits with it and cannot be removed, so the trail itself
 * remembers: what was changed or deleted since is left as it is. The administrator is made when nobody has, or had, the address: to have
 * another one, set another ADMIN_EMAIL; an account that registered with the address itself is not promoted.
 */
import { eq, sql } from "drizzle-orm";
import type { Clock } from "../src/core/clock.ts";
import { toInstant } from "../src/core/clock.ts";
import { AppError } from "../src/core/error.ts";
import { newId } from "../src/core/id.ts";
import type { Secret } from "../src/core/secret.ts";
import type { Db } from "../src/ports/db/port.ts";
import auditEntries from "./mock-data/audit-entries.json" with { type: "json" };
import sessions from "./mock-data/sessions.json" with { type: "json" };
import users from "./mock-data/users.json" with { type: "json" };
import type { Tables } from "./tables.ts";

export interface SeedOptions {
  passwords: { hash(password: string): Promise<string> };
  clock: Clock;
  mode: "development" | "test" | "production";
  /** The address in lower case. Without a password, development makes one up, and the other modes make no administrator. */
  admin: { email: string | null; password: Secret | null };
  /** Whether sample data is written; never in production. */
  samples: boolean;
}

interface SeededAdmin {
  email: string;
  password: string;
}

/** Idempotent, and safe beside another process that does the same. Answers the administrator when its password was made up just now. */
export async function seed(db: Db, options: SeedOptions): Promise<SeededAdmin | null> {
  if (options.samples && options.mode !== "production") await seedSamples(db);
  return seedAdmin(db, options);
}

async function seedAdmin(db: Db, { admin, mode, passwords, clock }: SeedOptions): Promise<SeededAdmin | null> {
  const { email } = admin;
  const given = admin.password?.reveal();
  if (!email || (given === undefined && mode !== "development")) return null;
  const { users, auditEntries } = db.tables;
  const known = db.prepare((q) => q.select({ id: users.id }).from(users).where(eq(users.email, email)).limit(1));
  if ((await db.all(known(), { fresh: true })).length > 0) return null;

  const password = given ?? randomPassword();
  const passwordHash = await passwords.hash(password);
  const now = toInstant(clock.now());
  const row = { email, name: "Administrator", role: "admin" as const };
  const id = newId("user");
  const written = await unlessThere(
    db.atomic((tx) => [
      tx.insert(auditEntries).values({
        id: newId("aud"),
        createdAt: now,
        actorType: "system",
        actorId: "seed",
        action: "user.create",
        entityType: "User",
        entityId: id,
        newValue: { ...row, passwordHash: "[changed]" },
      }),
      tx.insert(users).values({ ...row, id, passwordHash, createdAt: now, updatedAt: now }),
    ]),
  );
  return written && given === undefined ? { email, password } : null;
}

async function seedSamples(db: Db): Promise<void> {
  const { tables } = db;
  const told = db.prepare((q) =>
    q
      .select({ id: tables.auditEntries.id })
      .from(tables.auditEntries)
      .where(sql`${tables.auditEntries.actorType} = 'system' and ${tables.auditEntries.actorId} = 'seed'`),
  );
  const done = new Set((await db.all(told(), { fresh: true })).map(({ id }) => id));
  for (const user of users as Tables["users"]["$inferInsert"][]) {
    const own = sessions.filter(({ userId }) => userId === user.id);
    const about = new Set([user.id, ...own.map(({ id }) => id)]);
    const entries = auditEntries.filter(({ entityId }) => about.has(entityId));
    if (entries.some(({ id }) => done.has(id))) continue;
    await unlessThere(
      db.atomic((tx) => [
        ...entries.map((entry) => tx.insert(tables.auditEntries).values(entry)),
        tx.insert(tables.users).values(user),
        ...own.map((session) => tx.insert(tables.sessions).values(session)),
      ]),
    );
  }
}

/** Whether it was written; not when another process was faster, or somebody else has the address. */
async function unlessThere(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === "conflict") return false;
    throw error;
  }
}

/** Almost 120 random bits, in 20 letters and digits. */
function randomPassword(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(15));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "A")
    .replaceAll("/", "B");
}
