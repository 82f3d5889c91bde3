/**
 * How the ends of attempts get into the record. A job that was fenced off meanwhile (it is not active any more, or not in this attempt, or
 * not of this worker) is left as it is.
 *
 * On PostgreSQL most rows still lie where their claim put them, and are found by that place: it spares a descent of the primary key, about
 * a tenth of what an outcome costs the server. Another row may have come to lie there, so a row is taken only if id, attempt, worker and state are
 * the right ones. Those that are not found so (they reported progress, or were taken away) are looked for by key.
 */
import type { Column } from "drizzle-orm/column";
import { sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import type { Instant } from "../../core/clock.ts";
import { value } from "../db/placeholders.ts";
import { type Bound, type Builders, type Db, type Dialect, quietly } from "../db/port.ts";
import type { Settlement } from "./port.ts";
import { few, rowsOf, texts } from "./rows.ts";

/** Answers the ids that were settled. `again`: it may be so already, and the answer was lost. */
export type Settle = (outcomes: readonly Settlement[], now: Instant, again?: boolean) => Promise<Set<string>>;

const ph = sql.placeholder;

/** Whatever has come of a job. */
const any = (dialect: Dialect) =>
  rowsOf(dialect, {
    id: "text",
    worker: "text",
    attempt: "int",
    back: "int",
    state: "text",
    result: "json",
    error: "json",
    run_at: "instant",
    purge_at: "instant",
  });
const gone = (dialect: Dialect) => rowsOf(dialect, { id: "text", worker: "text", attempt: "int" });
const rows = { pg: { any: any("pg"), gone: gone("pg") }, sqlite: { any: any("sqlite"), gone: gone("sqlite") } };
/** Jobs that are done, of one worker. What they have in common is not sent row by row: an instant takes 0.5 µs to read. */
const placed = rowsOf<"place" | "id" | "attempt" | "result">("pg", {
  place: "place",
  id: "text",
  attempt: "int",
  result: "json",
});

const instant = (dialect: Dialect, column: Column) =>
  sql`${value("now", column)}${dialect === "pg" ? sql`::timestamptz` : sql``}`;

/**
 * Saying again that one is done is accepted: the first answer may have been lost on its way back.
 *
 * PostgreSQL is kept from the index of active jobs: since its last vacuum that has an entry for every job that was ever active.
 */
const settle = (dialect: Dialect) => {
  const ended = sql`r.state in ('done', 'failed', 'cancelled')`;
  return (q: Builders, { jobs }: Tables) =>
    q
      .update(jobs)
      .set({
        state: sql`r.state`,
        attempt: sql`jobs.attempt - r.back`,
        result: sql`r.result`,
        error: sql`r.error`,
        runAt: sql`coalesce(r.run_at, jobs.run_at)`,
        purgeAt: sql`r.purge_at`,
        finishedAt: sql`case when ${ended} then ${instant(dialect, jobs.finishedAt)} end`,
        uniqueKey: sql`case when ${ended} then null else jobs.unique_key end`,
        // Its time to live is over with its first start, and an attempt that is given back has not started.
        expiresAt: sql`case when r.back = 1 then jobs.expires_at else jobs.deadline_at end`,
        sentAt: sql`null`,
      })
      .from(rows[dialect].any.from)
      .where(
        sql`${few(dialect, sql`r.id`)} and jobs.id = r.id and (coalesce(jobs.state, '') = 'active' or (jobs.state = 'done' and r.state = 'done'))
          and jobs.attempt = r.attempt and coalesce(jobs.worker_id, '') = r.worker`,
      )
      .returning({ id: jobs.id });
};

const settlePlaced = (q: Builders, { jobs }: Tables) =>
  q
    .update(jobs)
    .set({
      state: sql`'done'`,
      result: sql`r.result`,
      error: sql`null`,
      purgeAt: sql`${value("purgeAt", jobs.purgeAt)}`,
      finishedAt: instant("pg", jobs.finishedAt),
      uniqueKey: sql`null`,
      sentAt: sql`null`,
    })
    .from(placed.from)
    .where(
      sql`${few("pg", sql`r.id`)} and jobs.ctid = r.place and jobs.id = r.id and coalesce(jobs.state, '') = 'active'
        and jobs.attempt = r.attempt and coalesce(jobs.worker_id, '') = ${ph("worker")}::text`,
    )
    .returning({ id: jobs.id });

/** Without the lock of a read beside it PostgreSQL could delete what was just given to another. */
const remove =
  (dialect: Dialect) =>
  (q: Builders, { jobs }: Tables) =>
    q
      .delete(jobs)
      .where(
        sql`id in (select j.id from ${rows[dialect].gone.from} join jobs j on j.id = r.id
          where ${few(dialect, sql`r.id`)} and coalesce(j.state, '') = 'active' and j.attempt = r.attempt and coalesce(j.worker_id, '') = r.worker
          ${dialect === "pg" ? sql`for update of j` : sql``})`,
      )
      .returning({ id: jobs.id });

const removePlaced = (q: Builders, { jobs }: Tables) =>
  q
    .delete(jobs)
    .where(
      sql`coalesce(state, '') = 'active' and coalesce(worker_id, '') = ${ph("worker")}::text
        and (ctid, id, attempt) in (select r.place, r.id, r.attempt from ${placed.from} where ${few("pg", sql`r.id`)})`,
    )
    .returning({ id: jobs.id });

const there =
  (dialect: Dialect) =>
  (q: Builders, { jobs }: Tables) =>
    q
      .select({ id: jobs.id })
      .from(jobs)
      .where(sql`${jobs.id} in ${texts(dialect, "ids")}`);

const statements = (dialect: Dialect) => ({ settle: settle(dialect), remove: remove(dialect), there: there(dialect) });
const known = { pg: statements("pg"), sqlite: statements("sqlite") };

export function createSettle(db: Db): Settle {
  const s = known[db.dialect];
  const { any, gone } = rows[db.dialect];

  return async (outcomes, now, again = false) => {
    const settled = new Set<string>();
    const run = async (
      list: readonly Settlement[],
      bound: (list: readonly Settlement[]) => Bound<{ id: string }[]>,
    ) => {
      if (list.length === 0) return;
      const [found] = await db.atomic(() => [quietly(bound(list))]);
      for (const { id } of found) settled.add(id);
    };
    // In one order, so that two who settle the same jobs do not wait for each other.
    let left = outcomes.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    for (const [purgeAt, list] of together(left)) {
      const { workerId: worker } = list[0] as Settlement;
      await run(list, (list) =>
        purgeAt === null
          ? db.prepare(removePlaced)({ ...placed.bind(list), worker })
          : db.prepare(settlePlaced)({ ...placed.bind(list), worker, purgeAt, now }),
      );
    }
    if (settled.size === outcomes.length) return settled;

    left = left.filter(({ id }) => !settled.has(id));
    const dropped = left.filter(({ drop }) => drop);
    await run(
      left.filter(({ drop }) => !drop),
      (list) => db.prepare(s.settle)({ ...any.bind(list.map(asRow)), now }),
    );
    await run(dropped, (list) => db.prepare(s.remove)(gone.bind(list.map(asRow))));
    if (again && dropped.some(({ id }) => !settled.has(id))) {
      const ids = JSON.stringify(dropped.map(({ id }) => id));
      const kept = new Set((await db.all(db.prepare(s.there)({ ids }), { fresh: true })).map(({ id }) => id));
      for (const { id } of dropped) if (!kept.has(id)) settled.add(id);
    }
    return settled;
  };
}

/**
 * Those that are done, whose place is known, and which are the first one's worker's: by the second in which their time to be kept is over, and
 * under the last instant of it, so that none is kept too short. null: they are not kept.
 */
function together(outcomes: readonly Settlement[]): Map<Instant | null, Settlement[]> {
  const seconds = new Map<string, { until: Instant | null; list: Settlement[] }>();
  for (const outcome of outcomes) {
    const { place, state, workerId, purgeAt, drop } = outcome;
    if (!place || state !== "done" || purgeAt === null || workerId !== outcomes[0]?.workerId) continue;
    const key = drop ? "" : purgeAt.slice(0, SECOND);
    const same = seconds.get(key);
    if (!same) seconds.set(key, { until: drop ? null : purgeAt, list: [outcome] });
    else {
      same.list.push(outcome);
      if (same.until !== null && purgeAt > same.until) same.until = purgeAt;
    }
  }
  return new Map([...seconds.values()].map(({ until, list }) => [until, list]));
}
/** Of an instant's text, up to the second. */
const SECOND = "2026-01-31T09:30:00".length;

const asRow = ({ id, workerId, attempt, state, result, error, runAt, purgeAt }: Settlement) => ({
  id,
  worker: workerId,
  attempt,
  back: state === "waiting" || state === "delayed" ? 1 : 0,
  state,
  result,
  error: error && JSON.stringify(error),
  run_at: runAt,
  purge_at: purgeAt,
});
