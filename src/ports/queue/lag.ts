/** How far behind the queue is: the job that has waited longest of each name and priority, found without looking at the others. */
import { type SQL, sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import { fromInstant, type Instant } from "../../core/clock.ts";
import type { Builders, Db } from "../db/port.ts";

/** Of each name so many priorities are looked at, the highest, so that many of one name leave the others to be seen. */
const RANKS = 30;
const STEPS = 2_000;
/** Of each name and priority so many jobs. */
const DEEP = 200;

const whole = (n: number) => sql.raw(String(n));
const next = (taken: string, which = "") =>
  sql.raw(`select ${taken} from jobs j where j.state = 'waiting'${which} order by j.name, j.rank, j.id limit 1`);

/**
 * Skips from one (name, rank) to the next in `jobs_waiting_index`, and takes the oldest of the first jobs of each. They lie there by id, which
 * is nearly how long they wait: a job that was delayed or is tried again has an older id than its wait. So this is exact while fewer than
 * 200 such jobs lie before the one that has waited longest, and tells too little beyond. Priorities beyond the thirtieth are not looked
 * at. Exact for all would be an index of `run_at`, which each job would pay for.
 */
const first = (q: Builders, { jobs }: Tables) => {
  const since = sql`(select min(f.run_at) from (
    select w.run_at from jobs w where w.state = 'waiting' and w.name = jobs.name and w.rank = jobs.rank
    order by w.name, w.rank, w.id limit ${whole(DEEP)}) as f)`;
  return q
    .select({ name: jobs.name, queue: jobs.queue, runAt: sql`${since}`.mapWith(jobs.runAt) as SQL<Instant | null> })
    .from(jobs)
    .where(
      sql`${jobs.id} in (
        with recursive g (id, name, ranks) as (
          select f.id, f.name, 0 from (${next("j.id, j.name")}) as f
          union all
          select case when p.name = g.name and g.ranks >= ${whole(RANKS - 1)} then (${next("j.id", " and j.name > p.name")})
            else (${next("j.id", " and (j.name, j.rank) > (p.name, p.rank)")}) end,
            p.name, case when p.name = g.name then g.ranks + 1 else 1 end
          from g join jobs p on p.id = g.id
        ) select id from g where id is not null limit ${whole(STEPS)})`,
    );
};

const paused = (q: Builders, { jobQueues }: Tables) =>
  q.select({ queue: jobQueues.id }).from(jobQueues).where(sql`${jobQueues.pausedAt} is not null`);

export interface Waiting {
  name: string;
  queue: string;
  /** Since when the one that has waited longest is due. */
  since: Instant;
  /** For how long, in milliseconds. */
  ms: number;
  /** Its queue is paused, so that it waits on purpose. */
  paused: boolean;
}

/** What waits, by name and queue, longest first. */
export async function oldestWaiting(db: Db, now: Instant): Promise<Waiting[]> {
  const [rows, stopped] = await Promise.all([
    db.all(db.prepare(first)(), { fresh: true }),
    db.all(db.prepare(paused)(), { fresh: true }),
  ]);
  const pausedQueues = new Set(stopped.map(({ queue }) => queue));
  const oldest = new Map<string, Waiting>();
  for (const { name, queue, runAt } of rows) {
    const key = `${queue}/${name}`;
    const before = oldest.get(key);
    // It was taken meanwhile.
    if (runAt === null || (before && before.since <= runAt)) continue;
    const ms = Math.max(0, fromInstant(now) - fromInstant(runAt));
    oldest.set(key, { name, queue, since: runAt, ms, paused: pausedQueues.has(queue) });
  }
  return [...oldest.values()].sort((a, b) => b.ms - a.ms);
}
