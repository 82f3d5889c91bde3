/** How PostgreSQL carries out what workers ask of it over and over: by indexes, however many jobs there are. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { z } from "zod";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { migrate } from "../../src/ports/db/migrate.ts";
import { createPgDb, type PgClient } from "../../src/ports/db/pg.ts";
import { createPglite } from "../../src/ports/db/pglite.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { databaseDispatch } from "../../src/ports/queue/database.ts";
import { defineJob, handle } from "../../src/ports/queue/define.ts";
import { oldestWaiting } from "../../src/ports/queue/lag.ts";
import { drainQueue, retryJobs } from "../../src/ports/queue/operate.ts";
import { queueWorld } from "./queue.world.ts";

const texts = new Set<string>();
/** Of a claim. */
let values: readonly unknown[] = [];
/** What the commits of claims waited for. */
const waits: unknown[] = [];
let client: PgClient;
let db: Db;

const parametersOf = (text: string) => Math.max(0, ...[...text.matchAll(/\$(\d+)/g)].map(([, n]) => Number(n)));
const explained = async (text: string, params: null[] = []) =>
  (await client.query({ text, params })).map(([line]) => String(line)).join("\n");

const planOf = (text: string) => explained(`explain (generic_plan) ${text}`, Array(parametersOf(text)).fill(null));

/** The plan for all values, whichever would be cheaper. */
async function genericPlanOf(text: string): Promise<string> {
  await client.query({ text: "set plan_cache_mode = force_generic_plan", params: [] });
  await client.query({ text: `prepare planned as ${text}`, params: [] });
  const plan = await explained(`explain execute planned (${Array(parametersOf(text)).fill("null").join(", ")})`);
  await client.query({ text: "deallocate planned", params: [] });
  await client.query({ text: "reset plan_cache_mode", params: [] });
  return plan;
}
const isClaim = (text: string) => /^with|^update/.test(text) && text.includes('"attempt" = attempt + 1');
const scans = (plan: string) => plan.match(/Seq Scan on jobs\b/g)?.length ?? 0;

beforeAll(async () => {
  client = await createPglite({ dir: null, openLock: openBunSqlite });
  const note = (text: string) => {
    if (/\bjobs\b/.test(text)) texts.add(text);
  };
  const primary: PgClient = {
    ...client,
    async query(query) {
      note(query.text);
      if (!isClaim(query.text)) return client.query(query);
      values = query.params;
      const waitsFor = { text: "select current_setting('synchronous_commit')", params: [] };
      const [rows = [], [setting] = []] = await client.flight([query, waitsFor]);
      if (rows.length > 0) waits.push(setting?.[0]);
      return rows;
    },
    flight(queries) {
      for (const { text } of queries) note(text);
      return client.flight(queries);
    },
  };
  db = createPgDb({ engine: "pglite", primary });
  await migrate(db);
  texts.clear();

  // What a worker does in its life, once: jobs that end well, fail, wait, report, are too late, and belong to groups.
  const world = queueWorld(db, databaseDispatch);
  const input = z.looseObject({});
  const plain = defineJob({ name: "plans.plain", input, ttlMs: 1_000 });
  const brief = defineJob({ name: "plans.brief", input, keepMs: 0 });
  const grouped = defineJob({ name: "plans.grouped", input, group: { key: ({ g }) => String(g), concurrency: 1 } });
  const worker = world.worker([
    handle(plain, ({ fails }, { progress }) => {
      progress(1);
      if (fails) throw new Error("no");
    }),
    handle(grouped, () => {}),
    handle(brief, () => {}),
  ]);
  await world.queue.addMany(plain, [{}, { fails: true }]);
  await world.queue.add(brief, {});
  await world.queue.add(plain, {}, { delayMs: 10 });
  await world.queue.add(grouped, { g: 1 });
  await worker.runOnce();
  world.clock.move(100_000);
  await worker.runOnce();
  await world.store.purge(world.now(), 10);
  await oldestWaiting(db, world.now());
  const once = defineJob({ name: "plans.once", input, retry: { attempts: 1 } });
  await world.queue.add(once, {});
  await world.worker([handle(once, () => {})]).runOnce();
  await world.store.unsend(["job_1"], null);
  await db.atomic((tx) => [retryJobs(tx, db.dialect, ["job_1"], world.now(), 1)]);
  await db.atomic((tx) => [drainQueue(tx, db.dialect, "other", world.now(), "Drained.", 10)]);
  await world.end();
}, 60_000);
afterAll(() => db?.close());

const updates = (word: string) =>
  [...texts].filter((text) => text.includes(word) && /^(with|update|delete)/.test(text));

test("claims and outcomes go by index also in a plan that was made when there were no jobs", async () => {
  await client.query({ text: "truncate jobs", params: [] });
  const claims = updates("skip locked").filter(isClaim);
  const outcomes = updates("string_to_array");
  expect([claims.length, outcomes.length]).toEqual([1, 4]);
  for (const text of [...claims, ...outcomes]) expect([text, scans(await genericPlanOf(text))]).toEqual([text, 0]);
});

test("so do claims by groups", async () => {
  const claims = [...texts].filter((text) => isClaim(text) && text.includes("partition by"));
  expect(claims).toHaveLength(2);
  for (const text of claims) {
    const plan = await genericPlanOf(text);
    expect([plan, scans(plan)]).toEqual([plan, 0]);
    // By rank only the head is looked at, or each group would look at all that waits.
    expect([plan, plan.match(/using jobs_waiting_index/g)?.length ?? 0]).toEqual([
      plan,
      text.includes("recursive") ? 0 : 1,
    ]);
  }
});

const fill = (state: string, count: number) => `insert into jobs
  (id, name, queue, state, run_at, input, input_version, max_attempts, attempt, worker_id, group_key, purge_at)
  select 'job_${state}' || g, 'plans.plain', 'default', '${state}', now(), '{}', 1, 5, 1, 'wrk_' || (g % 5), null,
    case when '${state}' = 'done' then now() + interval '1 day' end
  from generate_series(1, ${count}) g`;

test("with many jobs nothing that a worker does looks at all of them", async () => {
  for (const [state, count] of [
    ["done", 30_000],
    ["waiting", 10_000],
    ["delayed", 200],
    ["active", 50],
  ] as const)
    await client.query({ text: fill(state, count), params: [] });
  await client.query({ text: "analyze", params: [] });
  expect(texts.size).toBeGreaterThan(10);
  for (const text of texts) expect([text, scans(await planOf(text))]).toEqual([text, 0]);
}, 30_000);

test("a claim is planned once for all values, however many wait", async () => {
  // As if there were a thousand times as many.
  const more = "update pg_class set reltuples = reltuples * 1000 where relname in ('jobs', 'jobs_waiting_index')";
  await client.query({ text: more, params: [] });
  const [claim] = updates("skip locked").filter(isClaim);
  await client.query({ text: `prepare claim as ${claim}`, params: [] });
  const literals = values.map((value) => `'${String(value).replaceAll("'", "''")}'`).join(", ");
  for (let i = 0; i < 10; i++) await client.query({ text: `execute claim (${literals})`, params: [] });
  const [plans] = await client.query({ text: "select generic_plans from pg_prepared_statements", params: [] });
  expect(plans).toEqual([5]);
});

test("a claim does not wait for the disk, unless one of its jobs may be tried only once", () => {
  expect(waits).toEqual(["off", "off", "on"]);
});

test("a job that skip leaves as it is is not locked: whoever skips waits for nobody", async () => {
  const world = queueWorld(db, databaseDispatch);
  const t = defineJob({ name: "plans.skip", input: z.looseObject({}) });
  for (const options of [{}, { ttlMs: 60_000 }]) {
    const unique = { key: JSON.stringify(options), mode: "skip" } as const;
    const { id } = await world.queue.add(t, {}, { unique, ...options });
    expect(await world.queue.add(t, {}, { unique })).toEqual({ id: null, created: false });
    expect(await client.query({ text: "select xmax::text from jobs where id = $1", params: [id] })).toEqual([["0"]]);
  }
  await world.end();
});

test("jobs that are named are found by their ids, also where PostgreSQL knows of none that have died or wait", async () => {
  await client.query({ text: "truncate jobs", params: [] });
  await client.query({ text: fill("done", 30_000), params: [] });
  await client.query({ text: "analyze", params: [] });
  const named = updates("json_array_elements_text").filter((text) => text.startsWith("update") && !isClaim(text));
  expect(named).toHaveLength(2);
  for (const text of named) {
    const plan = await planOf(text);
    expect(plan).toMatch(/Index Scan using jobs_pkey|Bitmap Index Scan on jobs_pkey/);
    expect(plan).not.toMatch(/Nested Loop|Index Scan (using|on) jobs_(?!pkey)/);
  }
});
