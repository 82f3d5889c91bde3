/**
 * Migrations only go forward, and are followed by the objects under sql/, which are applied again whenever their text changes. Both are
 * done in one transaction under the engine's lock, so that replicas that start together apply once.
 *
 * The ledger keeps a hash of each text, and of each trigger, function and view as the database prints it: what was changed by hand since
 * is drift, which is reported and mended.
 */
import { createHash } from "node:crypto";
import { embeddedSql } from "../../../db/sql.gen.ts";
import type { Db, Dialect, RunScript } from "./port.ts";

export interface MigrationReport {
  /** Names of migrations and objects that were applied just now. */
  applied: string[];
  /** Objects that were not as they had been left, with what was found. */
  drift: string[];
}

const LEDGER =
  "create table if not exists hearth_ledger (name text primary key, hash text not null, applied_at text not null)";

const hash = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 32);

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
export function migrate(db: Db): Promise<MigrationReport> {
  const { migrations, objects } = embeddedSql[db.dialect];
  const record =
    db.dialect === "pg"
      ? "insert into hearth_ledger values ($1, $2, $3)"
      : "insert into hearth_ledger values (?, ?, ?)";
  const forget =
    db.dialect === "pg" ? "delete from hearth_ledger where name = $1" : "delete from hearth_ledger where name = ?";

  return db.exclusively(async (run) => {
    await run(LEDGER);
    const ledger = await readLedger(run);
    const applied: string[] = [];
    const note = async (name: string, text: string) => {
      await run(forget, [name]);
      await run(record, [name, text, new Date().toISOString()]);
    };
    for (const { name, sql } of migrations) {
      const entry = `migration/${name}`;
      const done = ledger.get(entry);
      if (done === hash(sql)) continue;
      if (done)
        throw new Error(
          `Migration ${name} was applied with another content. Migrations only go forward: add a new one.`,
        );
      for (const statement of sql.split("--> statement-breakpoint")) await run(statement);
      await note(entry, hash(sql));
      applied.push(entry);
    }
    const drift = await driftOf(run, db.dialect, ledger);
    const changed = objects.some(({ name, sql }) => ledger.get(`object/${name}`) !== hash(sql));
    if (changed || drift.length > 0 || applied.length > 0) {
      for (const { name, sql } of objects) {
        await run(sql);
        if (ledger.get(`object/${name}`) === hash(sql)) continue;
        await note(`object/${name}`, hash(sql));
        applied.push(`object/${name}`);
      }
      for (const [name, text] of await definitions(run, db.dialect)) await note(`definition/${name}`, text);
    }
    return { applied, drift };
  });
}

/** What is not as the code expects it; empty when the schema is up to date and nothing was changed by hand. */
export function checkSchema(db: Db): Promise<string[]> {
  const { migrations, objects } = embeddedSql[db.dialect];
  return db.exclusively(async (run) => {
    await run(LEDGER);
    const ledger = await readLedger(run);
    const missing = [
      ...migrations.map(({ name, sql }) => [`migration/${name}`, hash(sql)] as const),
      ...objects.map(({ name, sql }) => [`object/${name}`, hash(sql)] as const),
    ].flatMap(([name, text]) => (ledger.get(name) === text ? [] : [`${name} is not applied`]));
    return [...missing, ...(await driftOf(run, db.dialect, ledger))];
  });
}

/** The name of the newest migration that the code was built with. */
export const expectedVersion = (dialect: Dialect): string => embeddedSql[dialect].migrations.at(-1)?.name ?? "none";
