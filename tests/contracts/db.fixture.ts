/** What the cases of the Db port are made of. */
import assert from "node:assert/strict";
import { and, eq, ne, type SQL, sql } from "drizzle-orm";
import { AppError } from "../../src/core/error.ts";
import { newId } from "../../src/core/id.ts";
import { type Constraint, ConstraintError } from "../../src/ports/db/constraint.ts";
import type { Builders, Db } from "../../src/ports/db/port.ts";

export interface DbCase {
  name: string;
  run(db: Db): Promise<void>;
}

export const NOW = "2026-01-31T09:30:00.000Z";
export const fresh = { fresh: true };

export const person = (extra: Record<string, unknown> = {}) => {
  const id = newId("user");
  return { id, email: `${id}@example.com`, name: "Ada", role: "user" as const, ...extra };
};
export const entry = (about: string) => ({
  id: newId("aud"),
  actorType: "system",
  action: "user.create",
  entityType: "user",
  entityId: about,
});
export const login = (userId: string) => ({ id: newId("sess"), userId, expiresAt: NOW, idleAt: NOW });

export const userOf = async (db: Db, id: string) => {
  const [row] = await db.all(prepared(db)({ id }), fresh);
  return row;
};
const byId = (q: Builders, { users }: Db["tables"]) =>
  q
    .select({ id: users.id, email: users.email, name: users.name, version: users.version, updatedAt: users.updatedAt })
    .from(users)
    .where(eq(users.id, sql.placeholder("id")));
export const prepared = (db: Db) => db.prepare(byId);

export const entriesAbout = async (db: Db, id: string) => {
  const { auditEntries } = db.tables;
  return db.all(
    db.prepare((q) =>
      q
        .select({ id: auditEntries.id })
        .from(auditEntries)
        .where(and(eq(auditEntries.entityId, id), ne(auditEntries.actorType, "database"))),
    )(),
    fresh,
  );
};

export async function makeUser(db: Db, extra: Record<string, unknown> = {}) {
  const made = person(extra);
  await db.atomic((tx) => [tx.insert(db.tables.users).values(made)]);
  return made;
}

/** The AppError that the work fails with. */
export async function failure(work: Promise<unknown>): Promise<AppError> {
  const error = await work.then(
    () => assert.fail("it did not fail"),
    (e) => e,
  );
  assert.ok(error instanceof AppError, `not an AppError: ${error?.stack ?? error}`);
  return error;
}

export async function brokenConstraint(
  work: Promise<unknown>,
): Promise<{ constraint: Constraint; pointers: string[] }> {
  const error = await failure(work);
  assert.equal(error.code, "conflict");
  assert.ok(error.cause instanceof ConstraintError, "the cause is a ConstraintError");
  return { constraint: error.cause.constraint, pointers: (error.errors ?? []).map(({ pointer }) => pointer) };
}

/** A statement by hand, past the verbs: what an operator types into psql or sqlite3. */
export const byHand = (db: Db, change: (tx: Builders) => { set: SQL; id: string }) => {
  const { users } = db.tables;
  return db.atomic((tx) => {
    const { set, id } = change(tx);
    return [tx.update(users).set({ name: set }).where(eq(users.id, id))];
  });
};

export const guarded = (db: Db, id: string, version: number, name: string) => (tx: Builders) => {
  const { users } = db.tables;
  return tx
    .update(users)
    .set({ name, version: version + 1 })
    .where(and(eq(users.id, id), eq(users.version, version)));
};

export const many = <T>(n: number, make: (i: number) => Promise<T>) =>
  Promise.allSettled(Array.from({ length: n }, (_, i) => make(i)));

export const byNameOfId = (q: Builders, { users }: Db["tables"]) =>
  q
    .update(users)
    .set({ name: sql`${sql.placeholder("name")}` })
    .where(eq(users.id, sql.placeholder("id")));
