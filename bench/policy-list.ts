/**
 * What a policy costs a list: `bun bench/policy-list.ts`. `GET /v1/users?limit=20` in this process, by an administrator without stored rules
 * and by one with 20, of their own or of their role, that refuse what no row is, so that all of them are asked of each; in turns, on PostgreSQL (with `postgres`, on the server
 * of TEST_DATABASE_URL) or SQLite in memory. CPU of this process and time a request, of the quicker quarter of rounds: the others tell of
 * the machine.
 */
import { openBunSqlite } from "../src/ports/db/bun-sqlite.ts";
import { openApp } from "../tests/helpers/app.ts";
import { openPostgres, openSqlite } from "../tests/helpers/databases.ts";

const ROUNDS = 81;
const CALLS = 40;
const onPostgres = process.argv.includes("postgres");

const done: (() => Promise<unknown>)[] = [];

/** A database with 200 people in it, and the app on it. Rules of a role need one of their own: they are about whoever else has the role. */
async function openWorld() {
  const opened = onPostgres ? await openPostgres() : await openSqlite("memory", openBunSqlite);
  done.push(opened.done);
  const clock = { now: () => Date.now() };
  const { ask, person, admin } = await openApp({ db: opened.db, clock, mode: "production", stateTtlMs: 1000 });
  for (let i = 0; i < 200; i++)
    await ask(admin, "POST", "/v1/users", {
      email: `p${i}@example.com`,
      name: `Person ${i}`,
      remark: "Known for long.",
    });
  async function administrator(email: string) {
    const { id, token } = await person(email);
    await ask(admin, "PATCH", `/v1/users/${id}`, { role: "admin" });
    return { id, token };
  }
  return { ask, admin, administrator };
}
type World = Awaited<ReturnType<typeof openWorld>>;
type Asking = Pick<World, "ask"> & { token: string };
const world = await openWorld();
const plain: Asking = { ...world, token: (await world.administrator("plain@example.com")).token };

/** Rules as administrators write them are mostly alike; those of four forms share nothing by which they could be asked together. */
const alike = (i: number): object => ({ name: `Nobody ${i}`, version: { $gt: 1000 } });
const forms: ((i: number) => object)[] = [
  (i) => ({ name: `Nobody ${i}`, version: { $gt: 1000 + i } }),
  (i) => ({ email: `nobody${i}@example.com`, createdAt: { $lt: `20${10 + i}-01-01T00:00:00.000Z` } }),
  (i) => ({ remark: `Nothing ${i}`, updatedAt: { $lt: `20${10 + i}-01-01T00:00:00.000Z` } }),
  (i) => ({ role: "guest", name: { $ne: `Nobody ${i}` } }),
];
const unlike = (i: number): object => (forms[i % forms.length] as typeof alike)(i);

/** 20 rules: some are about the rows that are listed, `fields` of them about their fields, the rest about something else. */
async function rule({ ask, admin }: World, scope: object, rows: number, fields: number, conditions: typeof alike) {
  for (let i = 0; i < 20; i++) {
    const about = i < rows ? { subject: "User", actions: ["list", "read"] } : { subject: "Job", actions: ["read"] };
    const own = i < rows ? { conditions: conditions(i) } : {};
    const named = i < fields ? { fields: ["remark"] } : {};
    const body = { ...scope, inverted: i < rows, ...about, ...own, ...named };
    const { status, json } = await ask(admin, "POST", "/v1/policy/rules", body);
    if (status !== 201) throw new Error(JSON.stringify(json));
  }
}

async function ruled(name: string, rows: number, fields: number, conditions: typeof alike): Promise<Asking> {
  const { id, token } = await world.administrator(`${name}@example.com`);
  await rule(world, { scopeType: "user", scopeId: id }, rows, fields, conditions);
  return { ...world, token };
}

/**
 * By whose role the rules are, in a database of its own; the base is one of the same role for whom a rule of their own decides over all of
 * these, so that nothing is left to be asked.
 */
async function byRole(conditions: typeof alike): Promise<[own: Asking, base: Asking]> {
  const other = await openWorld();
  const [own, base] = [await other.administrator("own@example.com"), await other.administrator("base@example.com")];
  await rule(other, { scopeType: "role", scopeId: "admin" }, 20, 0, conditions);
  const free = { scopeType: "user", scopeId: base.id, subject: "User", actions: ["list", "read"] };
  if ((await other.ask(other.admin, "POST", "/v1/policy/rules", free)).status !== 201) throw new Error("no rule");
  return [
    { ...other, token: own.token },
    { ...other, token: base.token },
  ];
}

const again = { ...world, token: (await world.administrator("again@example.com")).token };
const cases: [string, Asking, Asking][] = [
  ["no stored rules, again", again, plain],
  ["20 rules, 5 of them about these rows", await ruled("five", 5, 0, alike), plain],
  ["20 rules, 5 about these rows, 2 of these about a field", await ruled("fields", 5, 2, alike), plain],
  ["20 rules about these rows", await ruled("twenty", 20, 0, alike), plain],
  ["20 rules about these rows, of a role", ...(await byRole(alike))],
  ["20 rules about these rows, of four forms", await ruled("unlike", 20, 0, unlike), plain],
  ["20 rules about these rows, of four forms, of a role", ...(await byRole(unlike))],
];

async function measure({ ask, token }: Asking): Promise<{ cpu: number; ms: number }> {
  const [cpu, t0] = [process.cpuUsage(), performance.now()];
  for (let i = 0; i < CALLS; i++) {
    const { status, data } = await ask(token, "GET", "/v1/users?limit=20");
    if (status !== 200 || data.length !== 20) throw new Error(`answered ${status}`);
  }
  const { user, system } = process.cpuUsage(cpu);
  return { cpu: (user + system) / CALLS, ms: (performance.now() - t0) / CALLS };
}
const quicker = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 2] as number;

for (const [, ...both] of cases) for (const one of both) for (let i = 0; i < 15; i++) await measure(one);
console.log(
  `GET /v1/users?limit=20 on ${onPostgres ? "PostgreSQL" : "SQLite"}: CPU µs, ms, and × without stored rules`,
);
type Measured = Awaited<ReturnType<typeof measure>>;
const rounds = cases.map((): { own: Measured; base: Measured }[] => []);
for (let round = 0; round < ROUNDS; round++)
  for (const [i, [, asking, without]] of cases.entries()) {
    const first = round % 2 ? await measure(without) : null;
    const own = await measure(asking);
    rounds[i]?.push({ own, base: first ?? (await measure(without)) });
  }
for (const [i, [name]] of cases.entries()) {
  const of = (who: "own" | "base", key: keyof Measured) => quicker((rounds[i] ?? []).map((one) => one[who][key]));
  const times = (key: keyof Measured) => (of("own", key) / of("base", key)).toFixed(3);
  console.log(
    `${name.padEnd(58)}${of("own", "cpu").toFixed(0).padStart(6)} µs${of("own", "ms").toFixed(2).padStart(7)} ms   CPU × ${times("cpu")}   time × ${times("ms")}`,
  );
}
for (const end of done) await end();
process.exit(0);
