/**
 * What a policy costs a list: `bun bench/policy-list.ts`. `GET /v1/users?limit=20` in this process, by an administrator without stored rules
 * and by one with 20 that refuse what no row is, so that all of them are asked of each; in turns, on PostgreSQL (with `postgres`, on the server
 * of TEST_DATABASE_URL) or SQLite in memory. CPU of this process and time a request, of the quicker quarter of rounds: the others tell of
 * the machine.
 */
import { openBunSqlite } from "../src/ports/db/bun-sqlite.ts";
import { openApp } from "../tests/helpers/app.ts";
import { openPostgres, openSqlite } from "../tests/helpers/databases.ts";

const ROUNDS = 81;
const CALLS = 40;
const onPostgres = process.argv.includes("postgres");

const opened = onPostgres ? await openPostgres() : await openSqlite("memory", openBunSqlite);
const clock = { now: () => Date.now() };
const { ask, person, admin } = await openApp({ db: opened.db, clock, mode: "production", stateTtlMs: 1000 });

for (let i = 0; i < 200; i++)
  await ask(admin, "POST", "/v1/users", { email: `p${i}@example.com`, name: `Person ${i}`, remark: "Known for long." });

async function administrator(email: string) {
  const { id, token } = await person(email);
  await ask(admin, "PATCH", `/v1/users/${id}`, { role: "admin" });
  return { id, token };
}
const plain = await administrator("plain@example.com");

/** Rules as administrators write them are mostly alike; those of four forms share nothing by which they could be asked together. */
const alike = (i: number): object => ({ name: `Nobody ${i}`, version: { $gt: 1000 } });
const forms: ((i: number) => object)[] = [
  (i) => ({ name: `Nobody ${i}`, version: { $gt: 1000 + i } }),
  (i) => ({ email: `nobody${i}@example.com`, createdAt: { $lt: `20${10 + i}-01-01T00:00:00.000Z` } }),
  (i) => ({ remark: `Nothing ${i}`, updatedAt: { $lt: `20${10 + i}-01-01T00:00:00.000Z` } }),
  (i) => ({ role: "guest", name: { $ne: `Nobody ${i}` } }),
];
const unlike = (i: number): object => (forms[i % forms.length] as typeof alike)(i);

/** 20 rules of one person: some are about the rows that are listed, `fields` of them about their fields, the rest about something else. */
async function ruled(name: string, rows: number, fields: number, conditions: (i: number) => object): Promise<string> {
  const { id, token } = await administrator(`${name}@example.com`);
  for (let i = 0; i < 20; i++) {
    const about = i < rows ? { subject: "User", actions: ["list", "read"] } : { subject: "Job", actions: ["read"] };
    const own = i < rows ? { conditions: conditions(i) } : {};
    const named = i < fields ? { fields: ["remark"] } : {};
    const body = { scopeType: "user", scopeId: id, inverted: i < rows, ...about, ...own, ...named };
    const { status, json } = await ask(admin, "POST", "/v1/policy/rules", body);
    if (status !== 201) throw new Error(JSON.stringify(json));
  }
  return token;
}

const cases: [string, string][] = [
  ["no stored rules, again", (await administrator("again@example.com")).token],
  ["20 rules, 5 of them about these rows", await ruled("five", 5, 0, alike)],
  ["20 rules, 5 about these rows, 2 of these about a field", await ruled("fields", 5, 2, alike)],
  ["20 rules about these rows", await ruled("twenty", 20, 0, alike)],
  ["20 rules about these rows, of four forms", await ruled("unlike", 20, 0, unlike)],
];

async function measure(token: string): Promise<{ cpu: number; ms: number }> {
  const [cpu, t0] = [process.cpuUsage(), performance.now()];
  for (let i = 0; i < CALLS; i++) {
    const { status, data } = await ask(token, "GET", "/v1/users?limit=20");
    if (status !== 200 || data.length !== 20) throw new Error(`answered ${status}`);
  }
  const { user, system } = process.cpuUsage(cpu);
  return { cpu: (user + system) / CALLS, ms: (performance.now() - t0) / CALLS };
}
const quicker = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 2] as number;

for (const [, token] of cases) for (let i = 0; i < 30; i++) await measure(token);
console.log(
  `GET /v1/users?limit=20 on ${onPostgres ? "PostgreSQL" : "SQLite"}: CPU µs, ms, and × without stored rules`,
);
type Measured = Awaited<ReturnType<typeof measure>>;
const rounds = cases.map((): { own: Measured; base: Measured }[] => []);
for (let round = 0; round < ROUNDS; round++)
  for (const [i, [, token]] of cases.entries()) {
    const first = round % 2 ? await measure(plain.token) : null;
    const own = await measure(token);
    rounds[i]?.push({ own, base: first ?? (await measure(plain.token)) });
  }
for (const [i, [name]] of cases.entries()) {
  const of = (who: "own" | "base", key: keyof Measured) => quicker((rounds[i] ?? []).map((one) => one[who][key]));
  const times = (key: keyof Measured) => (of("own", key) / of("base", key)).toFixed(3);
  console.log(
    `${name.padEnd(58)}${of("own", "cpu").toFixed(0).padStart(6)} µs${of("own", "ms").toFixed(2).padStart(7)} ms   CPU × ${times("cpu")}   time × ${times("ms")}`,
  );
}
await opened.done();
process.exit(0);
