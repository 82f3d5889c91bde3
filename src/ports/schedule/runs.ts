/** The runs of schedules: what came of the times at which they were due, and how their jobs have ended. */
import { and, eq, isNull, sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import type { Instant } from "../../core/clock.ts";
import type { JobState } from "../../core/job.ts";
import { placeholders, value } from "../db/placeholders.ts";
import type { Bound, Builders, Db, Dialect, Tx } from "../db/port.ts";
import { texts } from "../queue/rows.ts";
import type { NewRun } from "./port.ts";

const ph = sql.placeholder;
const fresh = { fresh: true };

const selectHolder = (q: Builders, { jobs }: Tables) =>
  q
    .select({ id: jobs.id, state: jobs.state })
    .from(jobs)
    .where(and(eq(jobs.name, ph("name")), eq(jobs.uniqueKey, ph("key"))));

const insertRun = (q: Builders, { scheduleRuns }: Tables) => q.insert(scheduleRuns).values(placeholders(scheduleRuns));

const insertMissed = (q: Builders, tables: Tables) => {
  const { scheduleName, dueAt } = tables.scheduleRuns;
  return insertRun(q, tables).onConflictDoNothing({ target: [scheduleName, dueAt] });
};

const deleteAhead = (q: Builders, { scheduleRuns: t }: Tables) =>
  q
    .delete(t)
    .where(
      sql`schedule_name = ${ph("name")} and due_at > ${value("now", t.dueAt)} and outcome in ('missed', 'skipped')`,
    );

/** Runs whose end is not recorded, and what is known of their jobs; no state: the job is not there. */
const selectOpen = (q: Builders, { scheduleRuns, jobs }: Tables) =>
  q
    .select({ scheduleName: scheduleRuns.scheduleName, state: jobs.state })
    .from(scheduleRuns)
    .leftJoin(jobs, eq(jobs.id, scheduleRuns.jobId))
    .where(isNull(scheduleRuns.outcome));

const close = (q: Builders, { scheduleRuns }: Tables) =>
  q
    .update(scheduleRuns)
    .set({
      outcome: sql`j.state`,
      error: sql`case when j.state = 'done' then null else j.error end`,
      startedAt: sql`j.started_at`,
      finishedAt: sql`j.finished_at`,
    })
    .from(sql`jobs as j`)
    .where(
      sql`schedule_runs.outcome is null and j.id = schedule_runs.job_id and j.state in ('done', 'failed', 'cancelled')`,
    )
    .returning({
      scheduleName: scheduleRuns.scheduleName,
      dueAt: scheduleRuns.dueAt,
      outcome: scheduleRuns.outcome,
      jobId: scheduleRuns.jobId,
    });

const giveUp = (q: Builders, { scheduleRuns }: Tables) =>
  q
    .update(scheduleRuns)
    .set({ outcome: sql`'unknown'`, finishedAt: sql`${value("now", scheduleRuns.finishedAt)}` })
    .where(
      sql`outcome is null and job_id is not null and not exists (select 1 from jobs j where j.id = schedule_runs.job_id)`,
    );

const correct = (q: Builders, { scheduleRuns: t }: Tables) =>
  q
    .update(t)
    .set({
      jobId: value("jobId", t.jobId),
      outcome: value("outcome", t.outcome) as never,
      finishedAt: value("finishedAt", t.finishedAt),
    })
    .where(sql`id = ${ph("id")}`);

/**
 * Found by their age: the index by job holds open runs alone, and no run is older than its job. Those that are open are locked too, so that
 * nobody closes them meanwhile by what their jobs were before.
 */
const reopening =
  (dialect: Dialect) =>
  (q: Builders, { scheduleRuns }: Tables) => {
    const ids = texts(dialect, "ids");
    return q
      .update(scheduleRuns)
      .set({ outcome: sql`null`, error: sql`null`, finishedAt: sql`null` })
      .where(sql`job_id in ${ids} and created_at >= (select min(j.created_at) from jobs j where j.id in ${ids})`);
  };
const reopenings = { pg: reopening("pg"), sqlite: reopening("sqlite") };

const purgeRuns = (q: Builders, { scheduleRuns }: Tables) =>
  q
    .delete(scheduleRuns)
    .where(
      sql`id in (select r.id from schedule_runs r where r.created_at < ${value("before", scheduleRuns.createdAt)} and r.outcome is not null limit ${ph("limit")})`,
    )
    .returning({ id: scheduleRuns.id });

export const record = (tx: Tx, run: NewRun): Bound => tx.prepare(insertRun)({ ...run });

/** A time that has a run was not missed. */
export const recordMissed = (tx: Tx, run: NewRun): Bound => tx.prepare(insertMissed)({ ...run });

/** Leaves no run that has no job of times that have not come. */
export const unmiss = (tx: Tx, name: string, now: Instant): Bound => tx.prepare(deleteAhead)({ name, now });

/** Jobs that had ended go on, and with them the runs that they were made for. It stands before what changes the jobs, which it reads. */
export const reopen = (tx: Tx, dialect: Dialect, jobIds: readonly string[]): Bound =>
  tx.prepare(reopenings[dialect])({ ids: JSON.stringify(jobIds) });

export type RunStore = ReturnType<typeof createRunStore>;

export function createRunStore(db: Db) {
  return {
    /** The job of a type that has this unique key. */
    async holder(name: string, key: string): Promise<{ id: string; state: JobState } | null> {
      const [row] = await db.all(db.prepare(selectHolder)({ name, key }), fresh);
      return row ?? null;
    },
    open: (): Promise<{ scheduleName: string; state: JobState | null }[]> => db.all(db.prepare(selectOpen)(), fresh),
    /** Writes down how the jobs of open runs have ended. */
    async close(now: Instant) {
      const [closed] = await db.atomic((tx) => [tx.prepare(close)(), tx.prepare(giveUp)({ now })]);
      return closed;
    },
    /** The job was not made, because the one of this id was there; null: there is one, and it was left alone. */
    async correct(id: string, jobId: string | null, now: Instant): Promise<void> {
      const end = jobId === null ? { outcome: "skipped", finishedAt: now } : { outcome: null, finishedAt: null };
      await db.atomic((tx) => [tx.prepare(correct)({ id, jobId, ...end })]);
    },
    /** How many were deleted. */
    async purge(before: Instant, limit: number): Promise<number> {
      const [gone] = await db.atomic((tx) => [tx.prepare(purgeRuns)({ before, limit })]);
      return gone.length;
    },
  };
}
