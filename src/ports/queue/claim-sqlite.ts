/** Claims on SQLite, which has one writer, so that there is nobody to pass by; nor a lateral join, so they go name by name. */
import { type SQL, sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import { limitOf } from "../db/placeholders.ts";
import { type Builders, type Db, quietly } from "../db/port.ts";
import { createGroupClaim, headOf, isGrouped, othersOf } from "./claim-groups.ts";
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

const among = (rows: SQL) => sql`id in (select c.id from (${rows}) c)`;

const sqliteStatements = {
  free: sqlite(sql``),
  freeOf: sqlite(sqliteAmong),
  head: (q: Builders, tables: Tables) => claiming(q, tables, among(headOf("sqlite", tables, limitOf))),
  others: (q: Builders, tables: Tables) => claiming(q, tables, among(othersOf("sqlite", tables, limitOf))),
};

export function sqliteClaim(db: Db): Claim {
  let turn = 0;
  const grouped = createGroupClaim(async (which, values) => {
    const [jobs] = await db.atomic((tx) => [quietly(tx.prepare(sqliteStatements[which])({ ...values }))]);
    return jobs as Ranked[];
  });
  return async (slots, { workerId, now, total, ids }) => {
    const claimed: Ranked[] = [];
    const common = { workerId, now, ...(ids && { ids: JSON.stringify(ids) }) };
    const open = slots.length < 2 ? slots : await withWork(db, slots);
    // Another name is first each time: one that has always work would leave nothing to those behind it.
    for (let i = 0, first = turn++; i < open.length && claimed.length < total; i++) {
      const slot = open[(first + i) % open.length] as Slot;
      const { name, queue, free, version } = slot;
      const wanted = Math.min(free, total - claimed.length);
      if (isGrouped(slot)) {
        claimed.push(...(await grouped(slot, { workerId, now, total: wanted })));
        continue;
      }
      const values = { ...common, name, queue, version, total: wanted };
      const [jobs] = await db.atomic((tx) => [
        quietly(tx.prepare(ids ? sqliteStatements.freeOf : sqliteStatements.free)(values)),
      ]);
      claimed.push(...(jobs as Ranked[]));
    }
    return inOrder(claimed);
  };
}
