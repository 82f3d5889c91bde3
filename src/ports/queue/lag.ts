/** How far behind the queue is: the job that has waited longest of each name and priority, found without looking at the others. */
import { sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import { fromInstant, type Instant } from "../../core/clock.ts";
import type { Builders, Db } from "../db/port.ts";

/**
 * Skips from one (name, rank) to the next in `jobs_waiting_index`, and takes the first of each. By id it is the oldest; one that was delayed
 * is younger in waiting than its id says, and for a moment hides what waits behind it.
 */
const first = (q: Builders, { jobs }: Tables) =>
  q
    .select({ name: jobs.name, queue: jobs.queue, runAt: jobs.runAt, id: jobs.id })
    .from(jobs)
    .where(
      sql`${jobs.id} in (
        with recursive g (id) as (
          select * from (select j.id from jobs j where j.state = 'waiting' order by j.name, j.rank, j.id limit 1) as f
          union all
          select (select j.id from jobs j where j.state = 'waiting' and (j.name, j.rank) > (p.name, p.rank) order by j.name, j.rank, j.id limit 1)
          from g join jobs p on p.id = g.id
        ) select id from g where id is not null limit ${sql.raw(String(2_000))})`,
    );

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
    if (before && before.since <= runAt) continue;
    const ms = Math.max(0, fromInstant(now) - fromInstant(runAt));
    oldest.set(key, { name, queue, since: runAt, ms, paused: pausedQueues.has(queue) });
  }
  return [...oldest.values()].sort((a, b) => b.ms - a.ms);
}
