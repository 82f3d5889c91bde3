/** Broken constraints are told by name, on every engine. */
import assert from "node:assert/strict";
import { eq, sql } from "drizzle-orm";
import { newId } from "../../src/core/id.ts";
import { capabilities, must } from "../../src/ports/db/port.ts";
import { brokenConstraint, type DbCase, entry, failure, fresh, login, makeUser, NOW, person } from "./db.fixture.ts";

export const constraintCases: DbCase[] = [
  {
    name: "a taken unique value names its index and points at its column",
    async run(db) {
      const taken = await makeUser(db);
      const { users } = db.tables;
      const { constraint, pointers } = await brokenConstraint(
        db.atomic((tx) => [tx.insert(users).values(person({ email: taken.email }))]),
      );
      assert.deepEqual(constraint, { kind: "unique", name: "users_email_unique", columns: ["email"] });
      assert.deepEqual(pointers, ["/email"]);
      const again = await brokenConstraint(db.atomic((tx) => [tx.insert(users).values(person({ id: taken.id }))]));
      assert.deepEqual(again.constraint, { kind: "unique", name: "users_pkey", columns: ["id"] });
    },
  },
  {
    name: "a reference to nothing is a conflict, named where the engine tells the name",
    async run(db) {
      const { sessions } = db.tables;
      const { constraint, pointers } = await brokenConstraint(
        db.atomic((tx) => [tx.insert(sessions).values(login("user_nobody"))]),
      );
      assert.equal(constraint.kind, "reference");
      const named = capabilities[db.engine].namesReferences;
      assert.equal(constraint.name, named ? "sessions_user_id_users_id_fk" : "");
      assert.deepEqual(pointers, named ? ["/userId"] : []);
    },
  },
  {
    name: "a broken check names the check and points at its column",
    async run(db) {
      const { users } = db.tables;
      const { constraint, pointers } = await brokenConstraint(
        db.atomic((tx) => [tx.insert(users).values(person({ role: "owner" }))]),
      );
      assert.deepEqual(constraint, { kind: "check", name: "users_role_check", columns: ["role"] });
      assert.deepEqual(pointers, ["/role"]);
    },
  },
  {
    name: "a missing required value names its column and points at it",
    async run(db) {
      const { sessions } = db.tables;
      const made = await makeUser(db);
      const { constraint, pointers } = await brokenConstraint(
        db.atomic((tx) => [tx.insert(sessions).values({ ...login(made.id), expiresAt: sql`null` })]),
      );
      assert.deepEqual(constraint, { kind: "required", name: "sessions.expires_at", columns: ["expiresAt"] });
      assert.deepEqual(pointers, ["/expiresAt"]);
    },
  },
  {
    name: "an audit entry can be neither changed nor deleted",
    async run(db) {
      const { auditEntries } = db.tables;
      const one = entry("kept");
      await db.atomic((tx) => [tx.insert(auditEntries).values(one)]);
      const itself = eq(auditEntries.id, one.id);
      await assert.rejects(db.atomic((tx) => [tx.update(auditEntries).set({ action: "forged" }).where(itself)]));
      await assert.rejects(db.atomic((tx) => [tx.delete(auditEntries).where(itself)]));
      const found = await db.all(
        db.prepare((q) => q.select({ action: auditEntries.action }).from(auditEntries).where(itself))(),
        fresh,
      );
      assert.deepEqual(found, [{ action: "user.create" }]);
    },
  },
  {
    name: "deleting what is referred to is a conflict, or takes along what belongs to it",
    async run(db) {
      const { users, sessions, refreshTokens } = db.tables;
      const made = await makeUser(db);
      const session = login(made.id);
      const token = { id: newId("rtok"), sessionId: session.id, tokenHash: newId("rtok") };
      await db.atomic((tx) => [tx.insert(sessions).values(session), tx.insert(refreshTokens).values(token)]);
      const refused = await brokenConstraint(db.atomic((tx) => [tx.delete(users).where(eq(users.id, made.id))]));
      assert.equal(refused.constraint.kind, "reference");
      const error = await failure(
        db.atomic((tx) => [
          tx.delete(sessions).where(eq(sessions.id, session.id)),
          must(tx.update(refreshTokens).set({ usedAt: NOW }).where(eq(refreshTokens.id, token.id))),
        ]),
      );
      assert.equal(error.code, "conflict");
      await db.atomic((tx) => [tx.delete(sessions).where(eq(sessions.id, session.id))]);
      const left = await db.all(
        db.prepare((q) =>
          q.select({ id: refreshTokens.id }).from(refreshTokens).where(eq(refreshTokens.id, token.id)),
        )(),
        fresh,
      );
      assert.deepEqual(left, []);
    },
  },
];
