/**
 * Migrations only go forward, and are followed by the objects under sql/, which are applied again whenever their text changes. Both are
 * done in one transaction under the engine's lock, so that replicas that start together apply once.
 *
 * The ledger keeps a hash of each text, and of each trigger, function and view as the database prints it: what was changed by hand since
 * is drift, which is reported and mended.
 */
import { type SQL, sql } from "drizzle-orm/sql";
import { embeddedSql, type SqlFile } from "../../../db/sql.gen.ts";
import { sha256Hex } from "../../core/hash.ts";
import type { Builders, Db, Dialect, RunScript } from "./port.ts";

export interface MigrationReport {
  /** Names of migrations and objects that were applied just now. */
  applied: string[];
  /** Objects that were not as they had been left, with what was found. */
  drift: string[];
}

/** What a database is brought up to date with: `embeddedSql[dialect]`, or something else in a test. */
export interface SqlFiles {
  migrations: SqlFile[];
  objects: SqlFile[];
}

export const LEDGER =
  "create table if not exists hearth_ledger (name text primary key, hash text not null, applied_at text not null)";
const HAS_LEDGER: Record<Dialect, string> = {
  pg: "select 1 where to_regclass('hearth_ledger') is not null",
  sqlite: "select 1 from sqlite_master where type = 'table' and name = 'hearth_ledger'",
};
const AGAIN = "on conflict (name) do update set hash = excluded.hash, applied_at = excluded.applied_at";
const RECORD: Record<Dialect, string> = {
  pg: `insert into hearth_ledger values ($1, $2, $3) ${AGAIN}`,
  sqlite: `insert into hearth_ledger values (?, ?, ?) ${AGAIN}`,
};

export const hash = (text: string): string => sha256Hex(text).slice(0, 32);

/** All triggers, functions and views of the schema as [name, definition]. */
const DEFINITIONS: Record<Dialect, string> = {
  pg: `
    select 'function ' || p.proname, pg_get_functiondef(p.oid) from pg_proc p
      where p.pronamespace = current_schema()::regnamespace and p.prokind = 'f'
        and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e')
    union all
    select 'trigger ' || t.tgname, pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text from pg_trigger t join pg_class c on c.oid = t.tgrelid
      where not t.tgisinternal and c.relnamespace = current_schema()::regnamespace
    union all
    select 'view ' || viewname, definition from pg_views where schemaname = current_schema()
    order by 1`,
  sqlite: `select type || ' ' || name, sql from sqlite_master where type in ('trigger', 'view') and name not like 'sqlite_%' order by 1`,
};

type Ledger = Map<string, string>;

async function readLedger(run: RunScript): Promise<Ledger> {
  const rows = await run("select name, hash from hearth_ledger", []);
  return new Map(rows.map(([name, text]) => [String(name), String(text)]));
}

const definitions = async (run: RunScript, dialect: Dialect): Promise<Ledger> =>
  new Map((await run(DEFINITIONS[dialect], [])).map(([name, text]) => [String(name), hash(String(text))]));

async function driftOf(run: RunScript, dialect: Dialect, ledger: Ledger): Promise<string[]> {
  const known = [...ledger].filter(([name]) => name.startsWith("definition/"));
  const found = await definitions(run, dialect);
  return known.flatMap(([name, expected]) => {
    const object = name.slice("definition/".length);
    const actual = found.get(object);
    return actual === expected ? [] : [`${object} ${actual === undefined ? "is missing" : "was changed"}`];
  });
}

/** Brings the schema up to date. Needs an engine that migrates itself (see `capabilities`). */
export function migrate(db: Db, { migrations, objects }: SqlFiles = embeddedSql[db.dialect]): Promise<MigrationReport> {
  return db.exclusively(async (run) => {
    await run(LEDGER);
    const ledger = await readLedger(run);
    // Before the migrations: with a table that one makes anew, its triggers go, and nobody has changed these by hand.
    const drift = await driftOf(run, db.dialect, ledger);
    const applied: string[] = [];
    const note = (name: string, text: string) => run(RECORD[db.dialect], [name, text, new Date().toISOString()]);
    for (const { name, sql } of migrations) {
      const entry = `migration/${name}`;
      const done = ledger.get(entry);
      if (done === hash(sql)) continue;
      if (done) {
        throw new Error(
          `Migration ${name} was applied with another content. Migrations only go forward: add a new one.`,
        );
      }
      for (const statement of sql.split("--> statement-breakpoint")) await run(statement);
      await note(entry, hash(sql));
      applied.push(entry);
    }
    const changed = objects.filter(({ name, sql }) => ledger.get(`object/${name}`) !== hash(sql));
    if (changed.length > 0 || drift.length > 0 || applied.length > 0) {
      // All of them, in order: one may stand on another.
      for (const { sql } of objects) await run(sql);
      for (const { name, sql } of changed) {
        await note(`object/${name}`, hash(sql));
        applied.push(`object/${name}`);
      }
      await run("delete from hearth_ledger where name like 'definition/%'");
      for (const [name, text] of await definitions(run, db.dialect)) await note(`definition/${name}`, text);
    }
    return { applied, drift };
  });
}

/** What is not as the code expects it; empty when the schema is up to date and nothing was changed by hand. Changes nothing. */
export function checkSchema(db: Db, { migrations, objects }: SqlFiles = embeddedSql[db.dialect]): Promise<string[]> {
  return db.exclusively(async (run) => {
    const exists = (await run(HAS_LEDGER[db.dialect], [])).length > 0;
    const ledger: Ledger = exists ? await readLedger(run) : new Map();
    const missing = [
      ...migrations.map(({ name, sql }) => [`migration/${name}`, hash(sql)] as const),
      ...objects.map(({ name, sql }) => [`object/${name}`, hash(sql)] as const),
    ].flatMap(([name, text]) => (ledger.get(name) === text ? [] : [`${name} is not applied`]));
    return [...missing, ...(await driftOf(run, db.dialect, ledger))];
  });
}

/** The name of the newest migration that the code was built with. */
export const expectedVersion = (dialect: Dialect): string => embeddedSql[dialect].migrations.at(-1)?.name ?? "none";

/** Whether anything was ever migrated. */
export const isMigrated = async (db: Db): Promise<boolean> =>
  (await db.all(db.prepare(LEDGERS[db.dialect])(), { fresh: true })).length > 0;

const ledgerIn = (from: SQL) => (q: Builders) =>
  q.select({ name: sql<string>`name` }).from(from).where(sql`name is not null`);
const LEDGERS = {
  pg: ledgerIn(sql`(select to_regclass('hearth_ledger')::text as name) as ledger`),
  sqlite: ledgerIn(sql`(select name from sqlite_master where name = 'hearth_ledger') as ledger`),
} satisfies Record<Dialect, unknown>;

/** The name of the newest migration that the database has, without a lock: for probes. Throws where nothing was ever migrated. */
export async function schemaVersion(db: Db): Promise<string> {
  const [newest] = await db.all(db.prepare(NEWEST)(), { fresh: true });
  return newest?.name.slice("migration/".length) ?? "none";
}

const NEWEST = (q: Builders) =>
  q
    .select({ name: sql<string>`name` })
    .from(sql`hearth_ledger`)
    .where(sql`name like 'migration/%'`)
    .orderBy(sql`name desc`)
    .limit(1);
