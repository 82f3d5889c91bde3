/** Claims on SQLite, which has one writer, so that there is nobody to pass by; nor a lateral join, so they go name by name. */
import { type SQL, sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import { limitOf } from "../db/placeholders.ts";
import { type Builders, type Db, quietly } from "../db/port.ts";
import { alive, type Claim, claiming, inOrder, ph, type Ranked, running, type Slot, withWork } from "./claiming.ts";
import { texts } from "./rows.ts";

const sqliteAmong = sql`and j.id in ${texts("sqlite", "ids")}`;

const sqlite = (among: SQL) => (q: Builders, tables: Tables) =>
  claiming(
    q,
    tables,
    sql`id in (
      select j.id from jobs j
      where j.state = 'waiting' and j.name = ${ph("name")} and j.input_version <= ${ph("version")} and ${alive(tables, "j")} ${among} and ${running(sql`${ph("queue")}`)}
      order by j.rank, j.id limit ${limitOf("total")})`,
  );

const sqliteGrouped = (among: SQL) => (q: Builders, tables: Tables) =>
  claiming(
    q,
    tables,
    sql`id in (
      select w.id from (
        select j.id, j.rank, j.group_key, row_number() over (partition by j.group_key order by j.rank, j.id) as nth from jobs j
        where j.state = 'waiting' and j.name = ${ph("name")} and j.group_key is not null and j.input_version <= ${ph("version")} and ${alive(tables, "j")} ${among}
      ) w
      where w.nth <= ${ph("perGroup")} - (
        select count(*) from jobs a where a.name = ${ph("name")} and a.group_key = w.group_key and a.state = 'active'
      ) and ${running(sql`${ph("queue")}`)}
      order by w.rank, w.id limit ${limitOf("total")})`,
  );

const sqliteStatements = {
  free: sqlite(sql``),
  freeOf: sqlite(sqliteAmong),
  grouped: sqliteGrouped(sql``),
  groupedOf: sqliteGrouped(sqliteAmong),
};

const due = withWork(sql`json_each(${ph("names")}) as n`);

export function sqliteClaim(db: Db): Claim {
  let turn = 0;
  return async (slots, { workerId, now, total, ids }) => {
    const claimed: Ranked[] = [];
    const common = { workerId, now, ...(ids && { ids: JSON.stringify(ids) }) };
    const names = JSON.stringify(slots.map(({ name }) => name));
    const found = slots.length < 2 ? slots : await db.all(db.prepare(due)({ names }), { fresh: true });
    const busy = new Set(found.map(({ name }) => name));
    const open = slots.filter(({ name }) => busy.has(name));
    // Another name is first each time: one that has always work would leave nothing to those behind it.
    for (let i = 0, first = turn++; i < open.length && claimed.length < total; i++) {
      const { name, queue, free, version, perGroup } = open[(first + i) % open.length] as Slot;
      const values = { ...common, name, queue, version, total: Math.min(free, total - claimed.length) };
      const [jobs] = await db.atomic((tx) => [
        perGroup === null
          ? quietly(tx.prepare(ids ? sqliteStatements.freeOf : sqliteStatements.free)(values))
          : quietly(tx.prepare(ids ? sqliteStatements.groupedOf : sqliteStatements.grouped)({ ...values, perGroup })),
      ]);
      claimed.push(...(jobs as Ranked[]));
    }
    return inOrder(claimed);
  };
}
