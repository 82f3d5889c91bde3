/** Values, statements and what is refused. */
import assert from "node:assert/strict";
import { and, eq, isNull, sql } from "drizzle-orm";
import { toInstant } from "../../src/core/clock.ts";
import { newId } from "../../src/core/id.ts";
import { capabilities, must } from "../../src/ports/db/port.ts";
import {
  byHand,
  byNameOfId,
  type DbCase,
  entry,
  fresh,
  login,
  makeUser,
  NOW,
  person,
  prepared,
  userOf,
} from "./db.fixture.ts";

export const valueCases: DbCase[] = [
  {
    name: "values come back as they were given, whichever way a statement runs",
    async run(db) {
      const { auditEntries: t } = db.tables;
      const json = {
        text: "żółć 漢字 🦊 'quoted' \"double\" \\ $1 ?",
        list: [1, 2.5, null, true],
        nested: { "": "" },
        no: false,
      };
      const instants = [
        "2026-01-31T09:30:00.000Z",
        "2026-01-31T09:30:00.120Z",
        "2026-01-31T09:30:00.007Z",
        "1850-06-15T23:59:59.999Z",
        "0099-01-01T00:00:00.000Z",
        "9999-12-31T23:59:59.999Z",
      ];
      const columns = {
        createdAt: t.createdAt,
        oldValue: t.oldValue,
        newValue: t.newValue,
        address: t.address,
        action: t.action,
      };
      for (const createdAt of instants) {
        const one = { ...entry("round"), createdAt, oldValue: null, newValue: json, address: null, action: json.text };
        const expected = { createdAt, oldValue: null, newValue: json, address: null, action: json.text };
        const bound = db.prepare((q) =>
          q
            .insert(t)
            .values({
              id: sql.placeholder("id"),
              actorType: "system",
              action: sql.placeholder("action"),
              entityType: "user",
              entityId: "round",
              createdAt: sql.placeholder("createdAt"),
              oldValue: sql.placeholder("oldValue"),
              newValue: sql.placeholder("newValue"),
              address: sql.placeholder("address"),
            })
            .returning(columns),
        );
        const read = (id: string) => db.all(db.prepare((q) => q.select(columns).from(t).where(eq(t.id, id)))(), fresh);
        const [alone] = await db.atomic((tx) => [tx.insert(t).values(one).returning(columns)]);
        assert.deepEqual(alone, [expected], "a list of one");
        assert.deepEqual(await read(one.id), [expected], "a plain read");

        const ids = [newId("aud"), newId("aud"), newId("aud")] as const;
        const folded = await db.atomic(() => [bound({ ...one, id: ids[0] }), bound({ ...one, id: ids[1] })]);
        assert.deepEqual(folded, [[expected], [expected]], "a folded list");
        const pipelined = await db.atomic((tx) => [
          bound({ ...one, id: ids[2] }),
          tx.select(columns).from(t).where(eq(t.id, ids[2])),
        ]);
        assert.deepEqual(pipelined, [[expected], [expected]], "a pipelined list");
        const absent = db.prepare((q) =>
          q
            .select({ id: t.id })
            .from(t)
            .where(and(eq(t.id, sql.placeholder("id")), isNull(t.oldValue))),
        );
        for (const id of [one.id, ...ids])
          assert.deepEqual(await db.all(absent({ id }), fresh), [{ id }], "null is NULL");
      }
    },
  },
  {
    name: "numbers, booleans and counts of an expression are numbers and booleans",
    async run(db) {
      const made = await makeUser(db);
      const { users } = db.tables;
      const isAda = sql<boolean>`${users.name} = 'Ada'`.mapWith((v: unknown) => v === true || v === 1).as("is_ada");
      const [row] = await db.all(
        db.prepare((q) =>
          q
            .select({ n: sql<number>`count(*)`.as("n"), half: sql<number>`0.5 * 3`.mapWith(Number).as("half"), isAda })
            .from(users)
            .where(eq(users.id, made.id))
            .groupBy(users.name),
        )(),
        fresh,
      );
      assert.deepEqual(row, { n: 1, half: 1.5, isAda: true });
    },
  },
  {
    name: "instants compare as time in a condition",
    async run(db) {
      const { users } = db.tables;
      const made = await makeUser(db, { createdAt: "2026-03-01T00:00:00.120Z" });
      const after = db.prepare((q) =>
        q
          .select({ id: users.id })
          .from(users)
          .where(
            and(
              eq(users.id, sql.placeholder("id")),
              sql`(${users.createdAt}, ${users.id}) > (${sql.placeholder("at")}, ${sql.placeholder("id")})`,
            ),
          ),
      );
      assert.equal((await db.all(after({ id: made.id, at: "2026-03-01T00:00:00.119Z" }), fresh)).length, 1);
      assert.equal((await db.all(after({ id: made.id, at: "2026-03-01T00:00:00.120Z" }), fresh)).length, 0);
    },
  },
  {
    name: "a prepared statement refuses to run without one of its values",
    async run(db) {
      await assert.rejects(db.all(prepared(db)({}), fresh), /no value is bound to "id"/);
      await assert.rejects(
        db.atomic((tx) => [tx.prepare(byNameOfId)({ id: "x" })]),
        /no value is bound to "name"/,
      );
    },
  },
  {
    name: "a prepared statement is printed once for one build",
    async run(db) {
      assert.equal(prepared(db)({ id: "a" }).compiled, prepared(db)({ id: "b" }).compiled);
    },
  },
  {
    name: "a value that looks like SQL stays a value",
    async run(db) {
      const name = '\'); drop table users; -- $1 ? "x" \\';
      const made = await makeUser(db, { name });
      assert.equal((await userOf(db, made.id))?.name, name);
      assert.equal(await userOf(db, `${made.id}' or '1'='1`), undefined);
    },
  },
  {
    name: "a read does not change, and a must does not read",
    async run(db) {
      const { users } = db.tables;
      const removal = db.prepare((q) => q.delete(users).where(eq(users.id, "nobody")));
      await assert.rejects(db.all(removal(), fresh), /db\.atomic/);
      await assert.rejects(
        db.atomic((tx) => [must(tx.select({ id: users.id }).from(users))]),
        /not a read/,
      );
    },
  },
  {
    name: "nested fields are refused when the statement is made",
    async run(db) {
      const { users } = db.tables;
      await assert.rejects(async () => db.all(db.prepare((q) => q.select({ users }).from(users))(), fresh), /"users"/);
    },
  },
  {
    name: "more values than a statement takes are refused with a clear error, and fit into several statements",
    async run(db) {
      const { users } = db.tables;
      const people = Array.from({ length: 60 }, () => person());
      const most = capabilities[db.engine].maxValues;
      // 4 values of each row are given.
      if (people.length * 4 > most) {
        await assert.rejects(
          db.atomic((tx) => [tx.insert(users).values(people)]),
          new RegExp(`takes ${most}`),
        );
        assert.equal(await userOf(db, (people[0] as { id: string }).id), undefined);
      } else {
        await db.atomic((tx) => [tx.insert(users).values(people)]);
        for (const one of people) one.id = newId("user");
        for (const one of people) one.email = `${one.id}@example.com`;
      }
      await db.atomic((tx) => [0, 20, 40].map((at) => tx.insert(users).values(people.slice(at, at + 20))));
      assert.ok(await userOf(db, (people[59] as { id: string }).id));
    },
  },
  {
    name: "direct SQL moves version and updatedAt; a verb that sets them is left alone",
    async run(db) {
      const made = await makeUser(db, { updatedAt: NOW });
      await byHand(db, () => ({ set: sql`'By hand'`, id: made.id }));
      const touched = await userOf(db, made.id);
      assert.deepEqual([touched?.name, touched?.version], ["By hand", 2]);
      assert.ok(String(touched?.updatedAt) > NOW);
      const later = toInstant(Date.parse(NOW) + 86_400_000);
      // Two verbs may fall in one millisecond: the second sets the time that is there already.
      for (const version of [5, 6]) {
        await db.atomic((tx) => [
          tx
            .update(db.tables.users)
            .set({ name: `Verb ${version}`, version, updatedAt: later })
            .where(eq(db.tables.users.id, made.id)),
        ]);
        const written = await userOf(db, made.id);
        assert.deepEqual([written?.version, written?.updatedAt], [version, later]);
      }
    },
  },
  {
    name: "the view counts the open sessions of people who are there",
    async run(db) {
      const { sessions } = db.tables;
      const made = await makeUser(db);
      const gone = await makeUser(db, { deletedAt: NOW });
      const open = { ...login(made.id), expiresAt: "2999-01-01T00:00:00.000Z", idleAt: "2999-01-01T00:00:00.000Z" };
      await db.atomic((tx) => [
        tx.insert(sessions).values([open, login(made.id), { ...open, id: newId("sess"), revokedAt: NOW }]),
      ]);
      const view = db.prepare((q) =>
        q
          .select({ n: sql<number>`open_sessions`.mapWith(Number) })
          .from(sql`user_overview`)
          .where(sql`id = ${sql.placeholder("id")}`),
      );
      assert.deepEqual(await db.all(view({ id: made.id }), fresh), [{ n: 1 }]);
      assert.deepEqual(await db.all(view({ id: gone.id }), fresh), []);
    },
  },
  {
    name: "text is compared by its bytes, whatever the collation of the database",
    async run(db) {
      const { users } = db.tables;
      const names = ["a", "B", "ä", "Z", "_", "b"];
      const mark = newId("user");
      await db.atomic((tx) => [tx.insert(users).values(names.map((name) => person({ name, passwordHash: mark })))]);
      const listed = db.prepare((q) =>
        q
          .select({ name: users.name })
          .from(users)
          .where(eq(users.passwordHash, sql.placeholder("mark")))
          .orderBy(users.name),
      );
      const found = await db.all(listed({ mark }), fresh);
      assert.deepEqual(
        found.map(({ name }) => name),
        names.toSorted(),
      );
    },
  },
  {
    name: "it answers a ping",
    run: (db) => db.ping(),
  },
];
