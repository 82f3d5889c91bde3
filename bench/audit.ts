/**
 * What the audit trail promises, on PostgreSQL: `bun bench/audit.ts [entries]`, with TEST_DATABASE_URL. A database of its own, which is dropped.
 *
 * - an audited create costs at most 1.25 of the same create unaudited;
 * - a filtered page of 1,000,000 entries comes within 10 ms at the median;
 * - an export is verified at 100,000 entries a second or more, and written at constant memory.
 */
import { closeSync, openSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { newId } from "../src/core/id.ts";
import type { ListInput } from "../src/core/page.ts";
import { exportLines } from "../src/modules/audit/export.ts";
import { createSealing } from "../src/modules/audit/sealing.ts";
import { createAudit } from "../src/modules/audit/service.ts";
import { audit } from "../src/modules/audit/statement.ts";
import { generateKeys, importKeys } from "../src/modules/auth/keys.ts";
import { insertUser } from "../src/modules/users/store.ts";
import { inward } from "../src/policy/context.ts";
import { migrate } from "../src/ports/db/migrate.ts";
import { createPgDb } from "../src/ports/db/pg.ts";
import { createPostgres } from "../src/ports/db/postgres.ts";
import { abilities, subjects } from "../src/rules.ts";
import { temporaryFolder } from "../tests/helpers/databases.ts";
import { ownDatabase } from "../tests/helpers/postgres.ts";

const ENTRIES = Number(process.argv[2] ?? 1_000_000);
const own = await ownDatabase();
const primary = createPostgres({ url: own.url, poolSize: 4, statementTimeoutMs: 600_000, idleTimeoutS: 60 });
const db = createPgDb({ engine: "postgres", primary });
await migrate(db);

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] as number;
const ms = (value: number) => value.toFixed(1).padStart(8);
const now = () => new Date().toISOString();
const by = () => ({ requestId: crypto.randomUUID(), traceId: null, now: now(), signal: new AbortController().signal });
const admin = { type: "user", id: "user_000", role: "admin", sessionId: null } as const;
const context = () => inward(by(), { actor: admin, ability: abilities.abilityFor(admin), userAgent: "bench" });

/** One after the other: what a create takes from its caller to the commit and back. */
async function creates(audited: boolean, count: number): Promise<number> {
  const since = performance.now();
  for (let i = 0; i < count; i++) {
    const ctx = context();
    const id = newId("user");
    const user = {
      id,
      createdAt: ctx.now,
      updatedAt: ctx.now,
      version: 1,
      email: `${id}@example.com`,
      name: "Ada Lovelace",
    };
    const row = { ...user, role: "user", remark: null, passwordHash: null, deletedAt: null };
    await db.atomic((tx) => [
      ...(audited ? [audit(tx, ctx, { action: "user.create", entity: { type: "User", id }, after: row })] : []),
      tx.prepare(insertUser)(row),
    ]);
  }
  return ((performance.now() - since) * 1000) / count;
}
const looking = (yes: boolean) =>
  own.sql.unsafe(`alter table users ${yes ? "enable" : "disable"} trigger users_audit_direct`);

const figures = { audited: [] as number[], plain: [] as number[] };
for (let round = 0; round < 11; round++) {
  for (const audited of round % 2 ? [true, false] : [false, true]) {
    // Unaudited is without the trigger that looks for what nobody recorded.
    await looking(audited);
    figures[audited ? "audited" : "plain"].push(await creates(audited, 400));
  }
}
const ratio = median(figures.audited.map((us, i) => us / (figures.plain[i] as number)));
console.log(
  `create, µs             unaudited ${median(figures.plain).toFixed(0)}, audited ${median(figures.audited).toFixed(0)}: ${ratio.toFixed(2)} ×`,
);

console.log(`filling ${ENTRIES} entries`);
await own.sql.unsafe(
  "alter table audit_entries disable trigger user; truncate audit_entries; alter table audit_entries enable trigger user",
);
await own.sql.unsafe(`
  insert into audit_entries (id, created_at, actor_type, actor_id, action, entity_type, entity_id, old_value, new_value, request_id, trace_id, address, user_agent)
  select 'aud_0' || lpad(i::text, 25, '0'), timestamptz '2025-01-01T00:00:00Z' + i * interval '30 seconds', 'user', 'user_' || lpad((i::bigint * 7919 % 1000)::text, 3, '0'),
    (array['user.update', 'session.create', 'session.refresh', 'user.create', 'job.retry'])[1 + i % 5], 'User', 'user_' || lpad((i::bigint * 104729 % 50000)::text, 26, '0'),
    jsonb_build_object('name', 'Person Número ' || i, 'role', 'user'), jsonb_build_object('name', 'Person ' || i, 'role', 'admin'),
    gen_random_uuid()::text, md5(i::text), '198.51.100.' || i % 250, 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36'
  from generate_series(1, ${ENTRIES}) i`);
await own.sql.unsafe("vacuum analyze audit_entries").simple();

const trail = createAudit({ db, subjects });
const at = (share: number) => new Date(Date.parse("2025-01-01T00:00:00Z") + share * ENTRIES * 30_000).toISOString();
const list = (filters: ListInput["filters"], after: ListInput["after"] = null): ListInput => ({
  ...{ limit: 50, sort: { field: "createdAt", descending: true }, fields: null, count: false },
  filters,
  after,
});
const entity = (i: number) => `user_${String((i * 7) % 50000).padStart(26, "0")}`;
const actor = (i: number) => `user_${String(i % 1000).padStart(3, "0")}`;
const pages: Record<string, (i: number) => Promise<unknown>> = {
  newest: () => trail.list(context(), list([])),
  "one row": (i) => trail.list(context(), list([{ field: "entityId", op: "eq", value: entity(i) }])),
  "one row's history": (i) => trail.history(context(), { type: "User", id: entity(i) }, list([])),
  "one actor": (i) => trail.list(context(), list([{ field: "actorId", op: "eq", value: actor(i) }])),
  "one action": () => trail.list(context(), list([{ field: "action", op: "eq", value: "user.create" }])),
  "one month": (i) =>
    trail.list(
      context(),
      list([
        { field: "createdAt", op: "gte", value: at((i % 10) / 10) },
        { field: "createdAt", op: "lt", value: at((i % 10) / 10 + 0.08) },
      ]),
    ),
  "actor, action and time": (i) =>
    trail.list(
      context(),
      list([
        { field: "actorId", op: "eq", value: actor(i) },
        { field: "action", op: "eq", value: "user.update" },
        { field: "createdAt", op: "lt", value: at(0.5) },
      ]),
    ),
  "deep in the middle": (i) => trail.list(context(), list([], { value: at((i % 100) / 100), id: "aud_0" })),
};
console.log("a page of 50, ms            median      p95");
for (const [name, page] of Object.entries(pages)) {
  for (let i = 0; i < 10; i++) await page(i);
  const taken: number[] = [];
  for (let i = 0; i < 200; i++) {
    const since = performance.now();
    await page(i * 13);
    taken.push(performance.now() - since);
  }
  const p95 = taken.toSorted((a, b) => a - b)[Math.floor(taken.length * 0.95)] as number;
  console.log(`  ${name.padEnd(24)}${ms(median(taken))} ${ms(p95)}`);
}

const jwks = await generateKeys();
const keys = await importKeys(jwks);
let since = performance.now();
const { sealed, seals } = await createSealing({ db, keys }).seal(now());
let took = (performance.now() - since) / 1000;
console.log(`sealed ${sealed} entries by ${seals} seals in ${took.toFixed(1)} s: ${(sealed / took).toFixed(0)}/s`);
since = performance.now();
await createSealing({ db, keys }).seal(now());
console.log(`sealing when nothing is new: ${(performance.now() - since).toFixed(1)} ms`);

const folder = temporaryFolder();
const file = join(folder.path, "trail.ndjson");
const out = openSync(file, "w");
Bun.gc(true);
const atFirst = process.memoryUsage.rss();
let most = atFirst;
let parts = 0;
since = performance.now();
for await (const text of exportLines(db)) {
  writeSync(out, text);
  if (parts++ % 50 === 0) most = Math.max(most, process.memoryUsage.rss());
}
closeSync(out);
took = (performance.now() - since) / 1000;
const mib = (bytes: number) => (bytes / 1_048_576).toFixed(0);
console.log(
  `exported ${mib(statSync(file).size)} MiB in ${took.toFixed(1)} s: ${(ENTRIES / took).toFixed(0)}/s; RSS ${mib(atFirst)} MiB before, ${mib(most)} at the most`,
);

await Bun.write(join(folder.path, "keys.json"), JSON.stringify(keys.publicJwks));
since = performance.now();
const command = [process.execPath, "scripts/audit.ts", "verify", file, "--key", join(folder.path, "keys.json")];
const child = Bun.spawn(command, { stdout: "pipe" });
const told = await new Response(child.stdout).text();
await child.exited;
took = (performance.now() - since) / 1000;
const { maxRSS = 0 } = child.resourceUsage() ?? {};
console.log(
  `verified in ${took.toFixed(1)} s, the start of the process included: ${(ENTRIES / took).toFixed(0)}/s; RSS ${mib(maxRSS)} MiB at the most`,
);
console.log(told.trim().replaceAll(/^/gm, "  "));

folder.remove();
await db.close();
await own.drop();
