/**
 * Which jobs of a type with groups may run now: what both dialects have in common.
 *
 * First by order, among those at the head. If it is full of groups that may run no more, the rest comes from the other groups, each found by
 * skipping from one to the next in `jobs_group_index`, and only as many as there are places: groups are as many as customers are. They
 * take turns there, so that the last one is not left behind while the head does not move.
 */
import { type Placeholder, type SQL, sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import type { Dialect } from "../db/port.ts";
import { alive, type ClaimOptions, ph, type Ranked, running, type Slot } from "./claiming.ts";
import { texts } from "./rows.ts";

/** What each of the two statements is given beside the worker and the time. */
export interface GroupValues {
  name: string;
  queue: string;
  version: number;
  /** How many of one group may run at once, and how many of it are taken at once at most. */
  perGroup: number;
  most: number;
  /** A JSON array of groups that are left out. */
  full: string;
  total: number;
  /** How much of the head is looked at. */
  head: number;
  /** The group after which the others are looked for. */
  after: string;
}

/** The largest number that the databases' integers hold. */
const ANY = 2_147_483_647;
const HEAD = 100;

const runnable = (tables: Tables) =>
  sql`j.name = ${ph("name")} and j.state = 'waiting' and j.input_version <= ${ph("version")} and ${alive(tables, "j")}`;

/** Jobs that were made before their type had groups have none, and count as of the group without a name. */
const busy = (key: SQL) => sql`(
  select count(*) from jobs a where a.name = ${ph("name")} and a.group_key = ${key} and a.state = 'active'
) + case when ${key} = '' then (
  select count(*) from jobs a where a.name = ${ph("name")} and a.group_key is null and a.state = 'active'
) else 0 end`;

/** How the dialect writes a named limit. */
type Limit = (name: string) => SQL | Placeholder;

/** Where PostgreSQL has the row. */
const place = (dialect: Dialect) => (dialect === "pg" ? sql`j.ctid` : sql`null`);

/** Rows of `tid`, `id` and `max_attempts`. */
export const headOf = (dialect: Dialect, tables: Tables, limit: Limit) => sql`
  select n.tid, n.id, n.max_attempts from (
    select h.*, row_number() over (partition by h.key order by h.rank, h.id) as nth from (
      select ${place(dialect)} as tid, j.id, j.rank, j.max_attempts, coalesce(j.group_key, '') as key from jobs j
      where ${runnable(tables)} order by j.rank, j.id limit ${limit("head")}
    ) h where h.key not in ${texts(dialect, "full")}
  ) n
  where n.nth <= ${ph("most")} and n.nth <= ${ph("perGroup")} - ${busy(sql`n.key`)} and ${running(sql`${ph("queue")}`)}
  order by n.rank, n.id limit ${limit("total")}`;

export const othersOf = (dialect: Dialect, tables: Tables, limit: Limit) => {
  const after = (key: SQL) =>
    sql`(select j.group_key from jobs j where ${runnable(tables)} and j.group_key > ${key} order by j.group_key limit 1)`;
  // Written as a range, and in the order of the index, because PostgreSQL would else take the index by rank, and filter all that waits by
  // its group: 5 s for 10,000 groups that were not analyzed yet.
  const first =
    dialect === "pg"
      ? sql`cross join lateral (
          select ${place(dialect)} as tid, j.id, j.rank, j.max_attempts from jobs j
          where ${runnable(tables)} and j.group_key >= f.key and j.group_key <= f.key
          order by j.name, j.group_key, j.state, j.rank, j.id limit ${limit("most")}
        ) w`
      : sql`join (select ${place(dialect)} as tid, j.* from jobs j) w on w.id in (
          select j.id from jobs j where ${runnable(tables)} and j.group_key = f.key order by j.rank, j.id limit ${limit("most")}
        )`;
  return sql`
    with recursive g (key) as (
      select * from ${after(sql`${ph("after")}`)} as s
      union all
      select ${after(sql`g.key`)} from g where g.key is not null
    ), f as (
      select p.key, p.free from (select g.key, ${ph("perGroup")} - ${busy(sql`g.key`)} as free from g where g.key is not null) p
      where p.free > 0 and p.key not in ${texts(dialect, "full")} and ${running(sql`${ph("queue")}`)}
      limit ${limit("total")}
    )
    select n.tid, n.id, n.max_attempts from (
      select w.tid, w.id, w.rank, w.max_attempts, f.free, row_number() over (partition by f.key order by w.rank, w.id) as nth from f ${first}
    ) n where n.nth <= n.free order by n.rank, n.id limit ${limit("total")}`;
};

type Find = (which: "head" | "others", values: GroupValues & { workerId: string; now: string }) => Promise<Ranked[]>;

/** Claims of types with groups, name by name. */
export function createGroupClaim(find: Find) {
  /** Of each name, the group that was the last to have its turn. */
  const turns = new Map<string, string>();

  return async ({ name, queue, version, ...slot }: Slot, { workerId, now, total }: ClaimOptions): Promise<Ranked[]> => {
    const wanted = Math.min(slot.free, total);
    const perGroup = slot.perGroup ?? ANY;
    const most = Math.min(perGroup, slot.perClaim ?? ANY);
    const full = JSON.stringify(slot.full ?? []);
    const values = { workerId, now, name, queue, version, perGroup, most, full, head: HEAD + 4 * wanted, after: "" };
    const claimed = await find("head", { ...values, total: wanted });
    for (let after = turns.get(name) ?? ""; claimed.length < wanted; after = "") {
      const found = await find("others", { ...values, total: wanted - claimed.length, after });
      claimed.push(...found);
      turns.set(
        name,
        found.reduce((last, { groupKey }) => (groupKey && groupKey > last ? groupKey : last), ""),
      );
      if (after === "") break;
    }
    return claimed;
  };
}

/** Whether jobs of this type are claimed by their groups. */
export const isGrouped = ({ perGroup, perClaim }: Slot): boolean => perGroup !== null || perClaim !== undefined;
