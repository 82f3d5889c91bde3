import { describe, expect, test } from "bun:test";
import { eq, sql } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import { drizzle } from "drizzle-orm/pg-proxy";
import { casing } from "../../db/kit.ts";
import { pgTables } from "../../db/tables.ts";
import { fold, foldable, key, unfold } from "../../src/ports/db/fold.ts";
import { type Builders, type Item, must } from "../../src/ports/db/port.ts";
import { toStep } from "../../src/ports/db/statement.ts";
import { touchedBefore } from "../../src/ports/db/touched.ts";

const { users, sessions, auditEntries } = pgTables;
const q: Builders = drizzle(() => Promise.reject(), { casing });
const printer = new PgDialect({ casing });
const steps = (...items: NonNullable<Item>[]) => items.map((item) => toStep(item, printer));

const insertUser = () => q.insert(users).values({ email: "a", name: "A", role: "user", id: "u" });
const insertEntry = () =>
  q.insert(auditEntries).values({ id: "e", actorType: "system", action: "a", entityType: "t", entityId: "u" });
const updateUser = () => q.update(users).set({ name: "B" }).where(eq(users.id, "u"));
const insertSession = () => q.insert(sessions).values({ id: "s", userId: "u", expiresAt: "x", idleAt: "x" });

describe("a list is one statement", () => {
  test("when its parts touch different tables", () => {
    expect(foldable(steps(must(updateUser()), insertEntry(), insertSession()))).toBe(true);
  });
  test("when parts only add rows to one table", () => {
    expect(foldable(steps(insertEntry(), insertUser(), insertEntry()))).toBe(true);
  });
  test("when rows are added after a delete from another table", () => {
    expect(foldable(steps(q.delete(sessions).where(eq(sessions.id, "s")), insertEntry()))).toBe(true);
  });
});

describe("a list is sent statement by statement", () => {
  test("when it reads", () => {
    expect(foldable(steps(insertEntry(), q.select({ id: users.id }).from(users)))).toBe(false);
  });
  test("when two parts change one table", () => {
    expect(foldable(steps(updateUser(), updateUser()))).toBe(false);
    expect(foldable(steps(insertUser(), updateUser()))).toBe(false);
    expect(foldable(steps(updateUser(), insertUser()))).toBe(false);
    expect(foldable(steps(insertUser(), insertUser().onConflictDoNothing()))).toBe(false);
  });
  test("when a part mentions a table that an earlier one changes", () => {
    const counted = q.update(users).set({ name: sql`(select count(*) from ${sessions})` });
    expect(foldable(steps(insertSession(), counted))).toBe(false);
    expect(foldable(steps(counted, insertSession()))).toBe(true);
    const copied = q
      .insert(users)
      .values({ id: "v", name: "V", role: "user", email: sql`(select min(email) from users)` });
    expect(foldable(steps(insertUser(), copied))).toBe(false);
  });
  test("when a delete, which may cascade, comes before a change", () => {
    expect(foldable(steps(q.delete(sessions).where(eq(sessions.id, "s")), updateUser()))).toBe(false);
  });
});

test("a statement that asks how many rows the one before has touched reads them from there", () => {
  const counting = q.insert(auditEntries).values({
    ...{ id: "e", actorType: "system", action: "a", entityType: "t" },
    entityId: sql`${touchedBefore("pg")}::text`,
  });
  const list = steps(updateUser().returning({ id: users.id }), counting);
  expect(foldable(list)).toBe(true);
  expect(fold(list, printer).text).toContain("s1 as (with hearth_before as (select 1 from s0) insert into");
});

test("the rows of the only statement that returns some are answered as plain columns", () => {
  const list = steps(must(insertUser().returning({ id: users.id })), insertEntry());
  const folded = fold(list, printer);
  expect(folded.plain).toBe(0);
  expect(folded.text).not.toContain("json");
  expect(unfold(folded, [["u"]], 2)).toEqual([[["u"]], []]);
});

test("a guard elsewhere in the list keeps the json form, in which no row can be told from none", () => {
  const folded = fold(steps(insertEntry().returning({ id: auditEntries.id }), must(updateUser())), printer);
  expect(folded.plain).toBeNull();
  expect(unfold(folded, [[[["e"]], null]], 2)).toEqual([[["e"]], []]);
});

test("a notice is sent by one part of its own, once, and where only rows would send it they are no plain columns", () => {
  const one = fold(steps(insertUser().returning({ id: users.id })), printer, true);
  expect([one.plain, one.text.match(/pg_notify/g)?.length]).toEqual([0, 1]);
  expect(one.text).toMatch(/select c0 from s0 cross join notice$/);
  const two = fold(steps(insertEntry(), insertUser().returning({ id: users.id })), printer, true);
  expect([two.plain, two.text.match(/pg_notify/g)?.length]).toEqual([null, 1]);
  expect(two.text).toMatch(/ from notice$/);
});

test("lists of the same texts share one folded text, and a guard makes another", () => {
  expect(key(steps(updateUser(), insertEntry()))).toBe(key(steps(updateUser(), insertEntry())));
  expect(key(steps(updateUser(), insertEntry()))).not.toBe(key(steps(must(updateUser()), insertEntry())));
});
