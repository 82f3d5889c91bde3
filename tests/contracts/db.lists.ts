/** Lists of statements: all or nothing, in their order, whoever else writes. */
import assert from "node:assert/strict";
import { eq, sql } from "drizzle-orm";
import { AppError } from "../../src/core/error.ts";
import { newId } from "../../src/core/id.ts";
import { ConstraintError } from "../../src/ports/db/constraint.ts";
import { must } from "../../src/ports/db/port.ts";
import {
  type DbCase,
  entriesAbout,
  entry,
  failure,
  fresh,
  guarded,
  login,
  makeUser,
  many,
  person,
  userOf,
} from "./db.fixture.ts";

export const listCases: DbCase[] = [
  {
    name: "all statements of a list commit together",
    async run(db) {
      const made = person();
      const { users, auditEntries } = db.tables;
      const [rows, none] = await db.atomic((tx) => [
        tx.insert(users).values(made).returning({ id: users.id, version: users.version }),
        tx.insert(auditEntries).values(entry(made.id)),
      ]);
      assert.deepEqual(rows, [{ id: made.id, version: 1 }]);
      assert.deepEqual(none, []);
      assert.equal((await userOf(db, made.id))?.email, made.email);
      assert.equal((await entriesAbout(db, made.id)).length, 1);
    },
  },
  {
    name: "nothing of a list is visible when one of its statements fails",
    async run(db) {
      const taken = await makeUser(db);
      const first = person();
      const { users, auditEntries } = db.tables;
      await failure(
        db.atomic((tx) => [
          tx.insert(auditEntries).values(entry(first.id)),
          tx.insert(users).values(first),
          tx.insert(users).values(person({ email: taken.email })),
        ]),
      );
      assert.equal(await userOf(db, first.id), undefined);
      assert.deepEqual(await entriesAbout(db, first.id), []);
    },
  },
  {
    name: "a stale version is a conflict and undoes what came before and after it",
    async run(db) {
      const made = await makeUser(db);
      const { auditEntries, sessions } = db.tables;
      const session = login(made.id);
      const error = await failure(
        db.atomic((tx) => [
          tx.insert(auditEntries).values(entry(made.id)),
          must(guarded(db, made.id, 7, "Eve")(tx).returning({ id: db.tables.users.id })),
          tx.insert(sessions).values(session),
        ]),
      );
      assert.equal(error.code, "conflict");
      assert.equal((await userOf(db, made.id))?.name, "Ada");
      assert.deepEqual(await entriesAbout(db, made.id), []);
      const found = await db.all(
        db.prepare((q) => q.select({ id: sessions.id }).from(sessions).where(eq(sessions.id, session.id)))(),
        fresh,
      );
      assert.deepEqual(found, []);
    },
  },
  {
    name: "a must without returning passes when it touches a row and undoes the list when it does not",
    async run(db) {
      const made = await makeUser(db);
      const { auditEntries } = db.tables;
      const rename = (version: number) =>
        db.atomic((tx) => [
          must(guarded(db, made.id, version, `v${version}`)(tx)),
          tx.insert(auditEntries).values(entry(made.id)),
        ]);
      assert.deepEqual(await rename(1), [[], []]);
      assert.equal((await failure(rename(1))).code, "conflict");
      assert.equal((await userOf(db, made.id))?.name, "v1");
      assert.equal((await entriesAbout(db, made.id)).length, 1);
    },
  },
  {
    name: "a must that is a list of its own is a conflict when it touches no row",
    async run(db) {
      const made = await makeUser(db);
      const { users } = db.tables;
      assert.deepEqual(
        await db.atomic((tx) => [must(guarded(db, made.id, 1, "B")(tx).returning({ name: users.name }))]),
        [[{ name: "B" }]],
      );
      assert.equal(
        (await failure(db.atomic((tx) => [must(guarded(db, made.id, 1, "C")(tx).returning({ name: users.name }))])))
          .code,
        "conflict",
      );
      assert.equal((await failure(db.atomic((tx) => [must(guarded(db, made.id, 1, "C")(tx))]))).code, "conflict");
      assert.equal((await userOf(db, made.id))?.name, "B");
    },
  },
  {
    name: "a failed must undoes a list whose statements see each other's effect",
    async run(db) {
      const made = await makeUser(db);
      const { users } = db.tables;
      const both = (second: number) =>
        db.atomic((tx) => [
          must(guarded(db, made.id, 1, "first")(tx)),
          must(guarded(db, made.id, second, "second")(tx).returning({ version: users.version })),
          tx.select({ name: users.name }).from(users).where(eq(users.id, made.id)),
        ]);
      assert.equal((await failure(both(9))).code, "conflict");
      assert.equal((await userOf(db, made.id))?.name, "Ada");
      assert.deepEqual(await both(2), [[], [{ version: 3 }], [{ name: "second" }]]);
    },
  },
  {
    name: "a statement sees what an earlier one of its list did to another table",
    async run(db) {
      const made = person();
      const { users, sessions } = db.tables;
      const session = login(made.id);
      const [, , counted] = await db.atomic((tx) => [
        tx.insert(users).values(made),
        tx.insert(sessions).values(session),
        tx
          .update(users)
          .set({ name: sql`(select 'has ' || count(*) from sessions where user_id = ${made.id})` })
          .where(eq(users.id, made.id))
          .returning({ name: users.name }),
      ]);
      assert.deepEqual(counted, [{ name: "has 1" }]);
    },
  },
  {
    name: "of 32 concurrent read-decide-write increments with retry none is lost",
    async run(db) {
      const made = await makeUser(db, { name: "0" });
      const increment = async (): Promise<void> => {
        for (;;) {
          const seen = await userOf(db, made.id);
          assert.ok(seen);
          try {
            await db.atomic((tx) => [must(guarded(db, made.id, seen.version, String(Number(seen.name) + 1))(tx))]);
            return;
          } catch (error) {
            if (!(error instanceof AppError && error.code === "conflict")) throw error;
          }
        }
      };
      for (const { status } of await many(32, increment)) assert.equal(status, "fulfilled");
      const last = await userOf(db, made.id);
      assert.deepEqual([last?.name, last?.version], ["32", 33]);
    },
  },
  {
    name: "of 32 concurrent creations of one unique value exactly one wins",
    async run(db) {
      const { users, auditEntries } = db.tables;
      const email = `${newId("user")}@example.com`;
      const made = Array.from({ length: 32 }, () => person({ email }));
      const results = await many(32, (i) =>
        db.atomic((tx) => [
          tx.insert(users).values(made[i] as ReturnType<typeof person>),
          tx.insert(auditEntries).values(entry((made[i] as { id: string }).id)),
        ]),
      );
      const failures = results.flatMap((r) => (r.status === "rejected" ? [r.reason] : []));
      assert.equal(failures.length, 31);
      for (const error of failures) assert.ok(error instanceof AppError && error.cause instanceof ConstraintError);
      const entries = await Promise.all(made.map(({ id }) => entriesAbout(db, id)));
      assert.equal(entries.flat().length, 1);
    },
  },
  {
    name: "null items are left out and keep their places",
    async run(db) {
      const made = person();
      const { users } = db.tables;
      const answers = await db.atomic((tx) => [null, tx.insert(users).values(made).returning({ id: users.id }), null]);
      assert.deepEqual(answers, [[], [{ id: made.id }], []]);
      assert.deepEqual(await db.atomic(() => []), []);
      assert.deepEqual(await db.atomic(() => [null]), [[]]);
    },
  },
  {
    name: "several statements of one list answer their own rows",
    async run(db) {
      const [a, b] = [person(), person()];
      const { users, auditEntries } = db.tables;
      const about = entry(a.id);
      const answers = await db.atomic((tx) => [
        tx.insert(users).values([a, b]).returning({ id: users.id, role: users.role }),
        must(tx.insert(auditEntries).values(about).returning({ about: auditEntries.entityId })),
      ]);
      assert.deepEqual(answers, [
        [
          { id: a.id, role: "user" },
          { id: b.id, role: "user" },
        ],
        [{ about: a.id }],
      ]);
    },
  },
];
