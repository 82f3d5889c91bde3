/**
 * What the Db port costs beside the same work by hand in postgres.js: CPU time of this process for each operation, the two taken in turns
 * on one PostgreSQL server. `bun bench/db.ts`; TEST_DATABASE_URL names the server, on which a database is made and dropped.
 */
import process from "node:process";
import { desc, eq, lt, sql } from "drizzle-orm";
import postgres from "postgres";
import { newId } from "../src/core/id.ts";
import { migrate } from "../src/ports/db/migrate.ts";
import { createPgDb } from "../src/ports/db/pg.ts";
import { placeholders } from "../src/ports/db/placeholders.ts";
import { type Builders, type Db, must } from "../src/ports/db/port.ts";
import { createPostgres } from "../src/ports/db/postgres.ts";
import { ownDatabase, poolOf } from "../tests/helpers/postgres.ts";

const CONCURRENCY = 32;
const ROUNDS = 15;
const OPERATIONS = 2000;
const ROWS = 2000;

type Tables = Db["tables"];
const columns = ({ users: t }: Tables) => ({
  id: t.id,
  createdAt: t.createdAt,
  updatedAt: t.updatedAt,
  version: t.version,
  email: t.email,
  name: t.name,
  role: t.role,
});
const byId = (q: Builders, t: Tables) =>
  q
    .select(columns(t))
    .from(t.users)
    .where(eq(t.users.id, sql.placeholder("id")))
    .limit(1);
const page = (q: Builders, t: Tables) =>
  q
    .select(columns(t))
    .from(t.users)
    .where(lt(t.users.createdAt, sql.placeholder("before")))
    .orderBy(desc(t.users.createdAt), desc(t.users.id))
    .limit(20);
const insertUser = (q: Builders, t: Tables) => q.insert(t.users).values(placeholders(t.users)).returning(columns(t));
const insertEntry = (q: Builders, t: Tables) => q.insert(t.auditEntries).values(placeholders(t.auditEntries));
const rename = (q: Builders, t: Tables) =>
  q
    .update(t.users)
    .set({ name: sql`${sql.placeholder("name")}` })
    .where(eq(t.users.id, sql.placeholder("id")))
    .returning(columns(t));

const own = await ownDatabase();
const db = createPgDb({ engine: "postgres", primary: createPostgres({ ...poolOf(own.url), poolSize: 10 }) });
await migrate(db);
const hand = postgres(own.url, { max: 10, fetch_types: false, connection: { TimeZone: "UTC" } });
await own.sql`insert into users (id, email, name, role, created_at)
  select 'user_' || i, 'u' || i || '@example.com', 'Name ' || i, 'user', now() - i * interval '1 minute' from generate_series(1, ${ROWS}) i`;
await own.sql`analyze users`;

const NOW = new Date().toISOString();
const some = () => `user_${1 + Math.floor(Math.random() * ROWS)}`;
const COLUMNS = "id, created_at, updated_at, version, email, name, role";
const newUser = () => ({ id: newId("user"), email: `${newId("user")}@example.com` });

/** As one would write the answer by hand: the names changed, the instants as ISO text. */
const toUser = (row: postgres.Row) => ({
  id: row.id,
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
  version: row.version,
  email: row.email,
  name: row.name,
  role: row.role,
});
const entryOf = (id: string) => ({
  id: newId("aud"),
  createdAt: NOW,
  actorType: "system",
  actorId: "bench",
  action: "user.create",
  entityType: "User",
  entityId: id,
  oldValue: null,
  newValue: { name: "Ada", role: "user" },
  requestId: "r",
  traceId: "t",
  address: "192.0.2.1",
});

const works: Record<string, [port: () => Promise<unknown>, byHand: () => Promise<unknown>]> = {
  "read by key": [
    () => db.all(db.prepare(byId)({ id: some() }), { fresh: true }),
    async () =>
      (await hand.unsafe(`select ${COLUMNS} from users where id = $1 limit 1`, [some()], { prepare: true })).map(
        toUser,
      ),
  ],
  "list of 20": [
    () => db.all(db.prepare(page)({ before: NOW }), { fresh: true }),
    async () =>
      (
        await hand.unsafe(
          `select ${COLUMNS} from users where created_at < $1 order by created_at desc, id desc limit 20`,
          [NOW],
          { prepare: true },
        )
      ).map(toUser),
  ],
  "create + audit": [
    () => {
      const { id, email } = newUser();
      const user = {
        id,
        createdAt: NOW,
        updatedAt: NOW,
        version: 1,
        email,
        name: "Ada",
        role: "user",
        remark: null,
        passwordHash: null,
        deletedAt: null,
      };
      return db.atomic((tx) => [tx.prepare(insertUser)(user), tx.prepare(insertEntry)(entryOf(id))]);
    },
    async () => {
      const { id, email } = newUser();
      const e = entryOf(id);
      return (
        await hand.unsafe(
          `with u as (insert into users (id, created_at, updated_at, version, email, name, role) values ($1, $2, $2, 1, $3, $4, $5) returning ${COLUMNS}),
           a as (insert into audit_entries (id, created_at, actor_type, actor_id, action, entity_type, entity_id, new_value, request_id, trace_id, address)
             values ($6, $2, $7, $8, $9, $10, $1, $11::text::jsonb, $12, $13, $14))
           select * from u`,
          [
            id,
            NOW,
            email,
            "Ada",
            "user",
            e.id,
            e.actorType,
            e.actorId,
            e.action,
            e.entityType,
            JSON.stringify(e.newValue),
            e.requestId,
            e.traceId,
            e.address,
          ],
          { prepare: true },
        )
      ).map(toUser);
    },
  ],
  "guarded update + audit": [
    () => {
      const id = some();
      return db.atomic((tx) => [must(tx.prepare(rename)({ id, name: "Ada" })), tx.prepare(insertEntry)(entryOf(id))]);
    },
    async () => {
      const id = some();
      const e = entryOf(id);
      return (
        await hand.unsafe(
          `with u as (update users set name = $3 where id = $1 returning ${COLUMNS}),
           a as (insert into audit_entries (id, created_at, actor_type, actor_id, action, entity_type, entity_id, new_value, request_id, trace_id, address)
             select $4, $2, $5, $6, $7, $8, $1, $9::text::jsonb, $10, $11, $12 from u)
           select * from u`,
          [
            id,
            NOW,
            "Ada",
            e.id,
            e.actorType,
            e.actorId,
            e.action,
            e.entityType,
            JSON.stringify(e.newValue),
            e.requestId,
            e.traceId,
            e.address,
          ],
          { prepare: true },
        )
      ).map(toUser);
    },
  ],
};

/** CPU microseconds of this process for one operation, with so many under way at once. */
async function cpu(work: () => Promise<unknown>): Promise<number> {
  let left = OPERATIONS;
  const before = process.cpuUsage();
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      while (left-- > 0) await work();
    }),
  );
  const { user, system } = process.cpuUsage(before);
  return (user + system) / OPERATIONS;
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;

console.log(`${"CPU µs an operation".padEnd(24)}    port  by hand  ratio`);
for (const [name, [port, byHand]] of Object.entries(works)) {
  await cpu(port);
  await cpu(byHand);
  const taken: [number, number][] = [];
  for (let round = 0; round < ROUNDS; round++) taken.push([await cpu(port), await cpu(byHand)]);
  const [a, b] = [median(taken.map(([p]) => p)), median(taken.map(([, h]) => h))];
  const ratio = median(taken.map(([p, h]) => p / h));
  console.log(
    `${name.padEnd(24)} ${a.toFixed(1).padStart(7)} ${b.toFixed(1).padStart(8)} ${ratio.toFixed(2).padStart(6)}`,
  );
}

await hand.end();
await db.close();
await own.drop();
