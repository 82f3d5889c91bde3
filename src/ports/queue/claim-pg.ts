/**
 * Claims on PostgreSQL: `for update skip locked`, so that workers pass each other by.
 *
 * A row that was claimed leaves a dead entry at the head of the index until the next vacuum, and vacuum can take away none that an older
 * transaction could still see: while one is open (a dump, a long report), each claim would walk over all that were claimed since. So while
 * there is more to do than fits, a claim goes on where the last one ended. What has come up before that place (a higher priority, a
 * retry) waits for the next look at everything, a quarter of a second at most.
 */
import { type SQL, sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import { type Builders, type Db, quietly } from "../db/port.ts";
import { createGroupClaim, headOf, isGrouped, othersOf } from "./claim-groups.ts";
import {
  alive,
  type Claim,
  type ClaimOptions,
  claiming,
  inOrder,
  ph,
  type Ranked,
  running,
  type Slot,
  withWork,
} from "./claiming.ts";
import { few, texts } from "./rows.ts";

const given = sql`json_to_recordset(${ph("slots")}::text::json) as r(name text, queue text, free int, version int, rank int, id text)`;

/**
 * A claim does not wait for the disk: one that a crash of the database takes back has promised nothing, its jobs wait as before, and the
 * outcome of whoever ran them meanwhile meets the fence or flushes what lies before it. Only jobs that may be tried once wait for it,
 * because they would be tried again. PostgreSQL asks when the transaction ends, so the statement itself can say it.
 */
const unflushed = sql`(select set_config('synchronous_commit', 'off', true) where not exists (select 1 from c where max_attempts = 1)) is distinct from ''`;

/**
 * As a value that the planner does not see. With one that it sees it takes a plan for these values to be much cheaper than one for all, where many
 * wait, and plans each claim anew: 0.5 of 1.3 ms for ten of a million (PostgreSQL 15). A connection that planned it while few waited still does,
 * because it compares with what the plans of then would have cost.
 */
const total = sql`(select ${ph("total")}::int)`;

/** Rows that are locked are found again by their place, and need not be looked for by key. */
const byPlace = (q: Builders, tables: Tables, chosen: SQL) =>
  claiming(
    q,
    tables,
    sql`jobs.ctid = c.tid`,
    sql`(with c as materialized (${chosen}) select c.tid from c where ${unflushed} and ${few("pg", sql`c.id`)}) as c`,
  );

const pgFree = (q: Builders, tables: Tables) =>
  byPlace(
    q,
    tables,
    sql`select c.tid, c.id, c.max_attempts from ${given} cross join lateral (
        select j.ctid as tid, j.rank, j.id, j.max_attempts from jobs j
        where j.state = 'waiting' and j.name = r.name and j.input_version <= r.version and (j.rank, j.id) > (r.rank, r.id) and ${alive(tables, "j")}
        order by j.rank, j.id limit r.free for update skip locked
      ) c
      where ${running(sql`r.queue`)} order by c.rank, c.id limit ${total}`,
  );

const pgFreeOf = (q: Builders, tables: Tables) =>
  byPlace(
    q,
    tables,
    sql`select j.ctid as tid, j.id, j.max_attempts from jobs j
      where j.id = any (array${texts("pg", "ids")}) and j.state = 'waiting' and ${alive(tables, "j")}
        and exists (select 1 from ${given} where r.name = j.name and j.input_version <= r.version and ${running(sql`r.queue`)})
      limit ${total} for update of j skip locked`,
  );

/** Numbers are cast, because a limit of a bare parameter has no type. */
const pgGrouped = (rowsOf: typeof headOf) => (q: Builders, tables: Tables) =>
  byPlace(
    q,
    tables,
    rowsOf("pg", tables, (name) => sql`(select ${ph(name)}::int)`),
  );

const pgStatements = {
  free: pgFree,
  freeOf: pgFreeOf,
  head: pgGrouped(headOf),
  others: pgGrouped(othersOf),
};

/** Group counts are only right when nobody claims of the same name meanwhile: a statement sees what was committed before it began. */
const lock = (q: Builders) =>
  q
    .select({ locked: sql`pg_advisory_xact_lock(hashtext('hearth jobs'), hashtext(${ph("name")}))::text` })
    .from(sql`(select 1) as one`);

export function pgClaim(db: Db): Claim {
  /** Of each name, the last job that was claimed since everything was looked at. */
  const starts = new Map<string, Ranked>();
  let wholeAt = Number.NEGATIVE_INFINITY;

  async function free(slots: readonly Slot[], options: ClaimOptions): Promise<Ranked[]> {
    const from = slots.map((slot) => {
      const { rank, id } = starts.get(slot.name) ?? FIRST;
      return { ...slot, rank, id };
    });
    const { ids, ...values } = options;
    const [found] = await db.atomic((tx) => [
      ids
        ? quietly(tx.prepare(pgStatements.freeOf)({ ...values, ids: JSON.stringify(ids), slots: JSON.stringify(from) }))
        : quietly(tx.prepare(pgStatements.free)({ ...values, slots: JSON.stringify(from) })),
    ]);
    return found as Ranked[];
  }

  async function inTurn(slots: readonly Slot[], options: ClaimOptions): Promise<Ranked[]> {
    const time = performance.now();
    if (time - wholeAt >= WHOLE_MS) starts.clear();
    if (starts.size === 0) wholeAt = time;
    const isWhole = starts.size === 0;
    const claimed = await free(slots, options);
    if (!isWhole && claimed.length < options.total) {
      starts.clear();
      wholeAt = time;
      const taken = new Map<string, number>();
      for (const { name } of claimed) taken.set(name, (taken.get(name) ?? 0) + 1);
      const left = slots
        .map((slot) => ({ ...slot, free: slot.free - (taken.get(slot.name) ?? 0) }))
        .filter((slot) => slot.free > 0);
      const total = options.total - claimed.length;
      // What has been claimed must not be lost to a fault of the second look.
      if (left.length > 0) claimed.push(...(await free(left, { ...options, total }).catch(() => [])));
      return claimed;
    }
    if (claimed.length === options.total) {
      for (const job of claimed) {
        const last = starts.get(job.name);
        if (!last || job.rank > last.rank || (job.rank === last.rank && job.id > last.id)) starts.set(job.name, job);
      }
    }
    return claimed;
  }

  const grouped = createGroupClaim(async (which, values) => {
    const [, found] = await db.atomic((tx) => [
      tx.prepare(lock)({ name: values.name }),
      quietly(tx.prepare(pgStatements[which])({ ...values })),
    ]);
    return found as Ranked[];
  });

  return async (slots, options) => {
    const { workerId, now, total, ids } = options;
    const ungrouped = slots.filter((slot) => !isGrouped(slot));
    const claimed: Ranked[] = [];
    if (ungrouped.length > 0) claimed.push(...(await (ids ? free : inTurn)(ungrouped, options)));
    const others = slots.filter(isGrouped);
    if (others.length === 0 || claimed.length >= total) return inOrder(claimed);
    try {
      for (const slot of await withWork(db, others)) {
        if (claimed.length >= total) break;
        claimed.push(...(await grouped(slot, { workerId, now, total: total - claimed.length })));
      }
    } catch (error) {
      // What has been claimed must not be lost to it.
      if (claimed.length === 0) throw error;
    }
    return inOrder(claimed);
  };
}

/** Before every job. */
const FIRST = { rank: -2_147_483_648, id: "" };
/** How often a claim begins at the head, however much there is to do. */
const WHOLE_MS = 250;
