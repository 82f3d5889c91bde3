import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import auditEntries from "../../db/mock-data/audit-entries.json" with { type: "json" };
import sessions from "../../db/mock-data/sessions.json" with { type: "json" };
import users from "../../db/mock-data/users.json" with { type: "json" };
import { type SeedOptions, seed } from "../../db/seed.ts";
import { idPattern } from "../../src/core/id.ts";
import { Secret } from "../../src/core/secret.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { createNativePasswords } from "../../src/ports/passwords/native.ts";
import type { Opened } from "../helpers/databases.ts";
import { embedded } from "../helpers/engines.ts";

const passwords = createNativePasswords();
const NOW = Date.parse("2026-11-22T12:00:00.000Z");
const EMAIL = "admin@example.com";

const options = (overrides: Partial<SeedOptions> = {}): SeedOptions => ({
  passwords,
  clock: { now: () => NOW },
  mode: "development",
  admin: { email: EMAIL, password: null },
  samples: true,
  ...overrides,
});

async function everything(db: Db) {
  const { users, sessions, auditEntries } = db.tables;
  const [u, s, a] = await Promise.all([
    db.all(db.prepare((q) => q.select().from(users).orderBy(users.id))(), { fresh: true }),
    db.all(db.prepare((q) => q.select().from(sessions).orderBy(sessions.id))(), { fresh: true }),
    db.all(db.prepare((q) => q.select().from(auditEntries).orderBy(auditEntries.id))(), { fresh: true }),
  ]);
  return { users: u, sessions: s, entries: a };
}

for (const { name, open } of embedded) {
  describe(`seeds on ${name}`, () => {
    let opened: Opened;
    let db: Db;
    beforeEach(async () => {
      opened = await open();
      db = opened.db;
    });
    afterEach(() => opened.done());

    test("writes the sample data with its audit entries, and an administrator whose password is told once", async () => {
      const admin = await seed(db, options());
      expect(admin?.email).toBe(EMAIL);
      const { users: rows, sessions: logins, entries } = await everything(db);
      expect(rows.length).toBe(users.length + 1);
      expect(logins.length).toBe(sessions.length);
      expect(entries.length).toBe(auditEntries.length + 1);
      for (const { id } of [...rows, ...logins]) expect(entries.map(({ entityId }) => entityId)).toContain(id);
      for (const { actorType, actorId } of entries) expect([actorType, actorId]).toEqual(["system", "seed"]);
      const made = rows.find(({ email }) => email === EMAIL);
      expect(made?.role).toBe("admin");
      expect(await passwords.verify(admin?.password ?? "", made?.passwordHash ?? "")).toEqual({
        ok: true,
        stale: false,
      });
      for (const { oldValue, newValue } of entries) {
        expect(JSON.stringify([oldValue, newValue])).not.toContain("$argon2id");
      }
    });

    test("changes nothing when it runs again", async () => {
      await seed(db, options());
      const before = await everything(db);
      expect(await seed(db, options())).toBeNull();
      expect(await everything(db)).toEqual(before);
    });

    test("brings nothing back that was changed or deleted since", async () => {
      await seed(db, options());
      const { users, sessions } = db.tables;
      const [first, second] = (await everything(db)).users.map(({ id }) => id) as [string, string];
      await db.atomic((tx) => [
        tx.delete(sessions).where(eq(sessions.userId, first)),
        tx.delete(users).where(eq(users.id, first)),
        tx.update(users).set({ name: "Renamed" }).where(eq(users.id, second)),
        tx.update(users).set({ deletedAt: "2026-11-22T13:00:00.000Z" }).where(eq(users.email, EMAIL)),
      ]);
      const before = await everything(db);
      expect(await seed(db, options())).toBeNull();
      expect(await everything(db)).toEqual(before);
    });

    test("two processes that seed at once write everything once", async () => {
      const [a, b] = await Promise.all([seed(db, options()), seed(db, options())]);
      expect([a, b].filter((admin) => admin !== null).length).toBe(1);
      const { users: rows, entries } = await everything(db);
      expect([rows.length, entries.length]).toEqual([users.length + 1, auditEntries.length + 1]);
    });

    test("leaves an address to who has it", async () => {
      const taken = users[0]?.email ?? "";
      await db.atomic((tx) => [
        tx.insert(db.tables.users).values([
          { id: "user_a", email: taken, name: "Somebody", role: "user" },
          { id: "user_b", email: EMAIL, name: "Somebody else", role: "user" },
        ]),
      ]);
      expect(await seed(db, options())).toBeNull();
      const { users: rows } = await everything(db);
      expect(rows.length).toBe(users.length - 1 + 2);
      expect(rows.find(({ email }) => email === EMAIL)?.role).toBe("user");
    });

    test("production gets no samples, and an administrator with the given password alone", async () => {
      expect(await seed(db, options({ mode: "production" }))).toBeNull();
      expect(await everything(db)).toEqual({ users: [], sessions: [], entries: [] });
      const password = new Secret("a long enough password");
      expect(await seed(db, options({ mode: "production", admin: { email: EMAIL, password } }))).toBeNull();
      const { users: rows } = await everything(db);
      expect(rows.map(({ email, role }) => [email, role])).toEqual([[EMAIL, "admin"]]);
      expect((await passwords.verify(password.reveal(), rows[0]?.passwordHash ?? "")).ok).toBe(true);
    });
  });
}

test("the sample data has ids of the right kind and sorted by time, and addresses of its own", () => {
  const kinds = [
    [users, "user"],
    [sessions, "sess"],
    [auditEntries, "aud"],
  ] as const;
  for (const [rows, prefix] of kinds) {
    for (const { id } of rows) expect(id).toMatch(idPattern(prefix));
    const byTime = rows.toSorted((a, b) => a.createdAt.localeCompare(b.createdAt)).map(({ id }) => id);
    expect(rows.map(({ id }) => id).toSorted()).toEqual(byTime);
  }
  expect(new Set(users.map(({ email }) => email)).size).toBe(users.length);
  for (const { email } of users) expect(email).toEndWith("@example.com");
});
