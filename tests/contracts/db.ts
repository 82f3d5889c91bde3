/**
 * What every engine of the Db port does the same, as named cases that throw. They know no test runner, so that they also run where only
 * Node reaches: node:sqlite and D1 (db.peer.ts).
 */
import assert from "node:assert/strict";
import { and, eq, isNull, type SQL, sql } from "drizzle-orm";
import { toInstant } from "../../src/core/clock.ts";
import { AppError } from "../../src/core/error.ts";
import { newId } from "../../src/core/id.ts";
import { type Constraint, ConstraintError } from "../../src/ports/db/constraint.ts";
import { type Builders, capabilities, type Db, must } from "../../src/ports/db/port.ts";

interface DbCase {
  name: string;
  run(db: Db): Promise<void>;
}

const NOW = "2026-01-31T09:30:00.000Z";
const fresh = { fresh: true };

const person = (extra: Record<string, unknown> = {}) => {
  const id = newId("user");
  return { id, email: `${id}@example.com`, name: "Ada", role: "user" as const, ...extra };
};
const entry = (about: string) => ({
  id: newId("aud"),
  actorType: "system",
  action: "user.create",
  entityType: "user",
  entityId: about,
});
const login = (userId: string) => ({ id: newId("sess"), userId, expiresAt: NOW, idleAt: NOW });

const userOf = async (db: Db, id: string) => {
  const [row] = await db.all(prepared(db)({ id }), fresh);
  return row;
};
const byId = (q: Builders, { users }: Db["tables"]) =>
  q
    .select({ id: users.id, email: users.email, name: users.name, version: users.version, updatedAt: users.updatedAt })
    .from(users)
    .where(eq(users.id, sql.placeholder("id")));
const prepared = (db: Db) => db.prepare(byId);

const entriesAbout = async (db: Db, id: string) => {
  const { auditEntries } = db.tables;
  return db.all(
    db.prepare((q) => q.select({ id: auditEntries.id }).from(auditEntries).where(eq(auditEntries.entityId, id)))(),
    fresh,
  );
};

async function makeUser(db: Db, extra: Record<string, unknown> = {}) {
  const made = person(extra);
  await db.atomic((tx) => [tx.insert(db.tables.users).values(made)]);
  return made;
}

/** The AppError that the work fails with. */
async function failure(work: Promise<unknown>): Promise<AppError> {
  const error = await work.then(
    () => assert.fail("it did not fail"),
    (e) => e,
  );
  assert.ok(error instanceof AppError, `not an AppError: ${error?.stack ?? error}`);
  return error;
}

async function brokenConstraint(work: Promise<unknown>): Promise<{ constraint: Constraint; pointers: string[] }> {
  const error = await failure(work);
  assert.equal(error.code, "conflict");
  assert.ok(error.cause instanceof ConstraintError, "the cause is a ConstraintError");
  return { constraint: error.cause.constraint, pointers: (error.errors ?? []).map(({ pointer }) => pointer) };
}

/** A statement by hand, past the verbs: what an operator types into psql or sqlite3. */
const byHand = (db: Db, change: (tx: Builders) => { set: SQL; id: string }) => {
  const { users } = db.tables;
  return db.atomic((tx) => {
    const { set, id } = change(tx);
    return [tx.update(users).set({ name: set }).where(eq(users.id, id))];
  });
};

const guarded = (db: Db, id: string, version: number, name: string) => (tx: Builders) => {
  const { users } = db.tables;
  return tx
    .update(users)
    .set({ name, version: version + 1 })
    .where(and(eq(users.id, id), eq(users.version, version)));
};

const many = <T>(n: number, make: (i: number) => Promise<T>) =>
  Promise.allSettled(Array.from({ length: n }, (_, i) => make(i)));

export const dbCases: DbCase[] = [
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
      await db.atomic((tx) => [
        tx
          .update(db.tables.users)
          .set({ name: "Verb", version: 5, updatedAt: later })
          .where(eq(db.tables.users.id, made.id)),
      ]);
      const written = await userOf(db, made.id);
      assert.deepEqual([written?.version, written?.updatedAt], [5, later]);
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
    name: "it answers a ping",
    run: (db) => db.ping(),
  },
];

const byNameOfId = (q: Builders, { users }: Db["tables"]) =>
  q
    .update(users)
    .set({ name: sql`${sql.placeholder("name")}` })
    .where(eq(users.id, sql.placeholder("id")));
