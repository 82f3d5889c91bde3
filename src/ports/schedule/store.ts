/** The statements of schedules: constants of this module, so that each is printed and prepared once. */
import { and, eq, isNull, sql } from "drizzle-orm/sql";
import { getTableColumns } from "drizzle-orm/utils";
import type { Tables } from "../../../db/tables.ts";
import type { Instant } from "../../core/clock.ts";
import type { JobState } from "../../core/job.ts";
import { placeholders, value } from "../db/placeholders.ts";
import { type Bound, type Builders, type Db, type Dialect, must, type Tx } from "../db/port.ts";
import { texts } from "../queue/rows.ts";
import type { Checked } from "./define.ts";
import type { NewRun, ScheduleRow } from "./port.ts";

const ph = sql.placeholder;
const fresh = { fresh: true };

const selectAll = (q: Builders, { schedules }: Tables) => q.select(getTableColumns(schedules)).from(schedules);

const selectOne = (q: Builders, { schedules }: Tables) =>
  q
    .select(getTableColumns(schedules))
    .from(schedules)
    .where(eq(schedules.id, ph("id")));

const selectHolder = (q: Builders, { jobs }: Tables) =>
  q
    .select({ id: jobs.id, state: jobs.state })
    .from(jobs)
    .where(and(eq(jobs.name, ph("name")), eq(jobs.uniqueKey, ph("key"))));

/** A row that is as declared only says that it was seen; one that changed, or had been retired, starts anew. */
const declare = (q: Builders, { schedules: t }: Tables) => {
  const changed = sql`(${t.pattern} <> excluded.pattern or ${t.timezone} <> excluded.timezone or ${t.nextAt} is null)`;
  return q
    .insert(t)
    .values({
      id: ph("id"),
      createdAt: ph("now"),
      pattern: ph("pattern"),
      timezone: ph("timezone"),
      jobName: ph("jobName"),
      lastAt: ph("now"),
      nextAt: ph("nextAt"),
      seenAt: ph("now"),
    } as never)
    .onConflictDoUpdate({
      target: t.id,
      set: {
        pattern: sql`excluded.pattern`,
        timezone: sql`excluded.timezone`,
        jobName: sql`excluded.job_name`,
        seenAt: sql`excluded.seen_at`,
        lastAt: sql`case when ${changed} and excluded.last_at > ${t.lastAt} then excluded.last_at else ${t.lastAt} end`,
        nextAt: sql`case when ${changed} then excluded.next_at else ${t.nextAt} end`,
        turn: sql`${t.turn} + case when ${changed} then 1 else 0 end`,
      },
    });
};

const retire = (q: Builders, { schedules }: Tables) =>
  q
    .update(schedules)
    .set({ nextAt: sql`null`, turn: sql`turn + 1` })
    .where(sql`next_at is not null and (seen_at is null or seen_at < ${value("before", schedules.seenAt)})`);

const seen = (q: Builders, { schedules }: Tables) =>
  q
    .update(schedules)
    .set({ seenAt: sql`${value("now", schedules.seenAt)}` })
    .where(sql`id = ${ph("id")} and (seen_at is null or seen_at < ${value("before", schedules.seenAt)})`);

/** The whole of what a decision may change, over the turn that was seen. */
const decide = (q: Builders, { schedules: t }: Tables) =>
  q
    .update(t)
    .set({
      lastAt: value("lastAt", t.lastAt),
      nextAt: value("nextAt", t.nextAt),
      pausedAt: value("pausedAt", t.pausedAt),
      turn: sql`turn + 1`,
    })
    .where(sql`id = ${ph("id")} and turn = ${ph("turn")}`);

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

const overdue = (q: Builders, { schedules }: Tables) =>
  q
    .select({ id: schedules.id, nextAt: schedules.nextAt })
    .from(schedules)
    .where(sql`${schedules.nextAt} < ${value("before", schedules.nextAt)} and ${schedules.pausedAt} is null`)
    .orderBy(schedules.nextAt)
    .limit(10);

const purgeRuns = (q: Builders, { scheduleRuns }: Tables) =>
  q
    .delete(scheduleRuns)
    .where(
      sql`id in (select r.id from schedule_runs r where r.created_at < ${value("before", scheduleRuns.createdAt)} and r.outcome is not null limit ${ph("limit")})`,
    )
    .returning({ id: scheduleRuns.id });

export type Moved = Partial<Pick<ScheduleRow, "lastAt" | "nextAt" | "pausedAt">>;

/** Moves the row on; the whole list is undone when somebody else has decided meanwhile. */
export const move = (tx: Tx, row: ScheduleRow, to: Moved) =>
  must(
    tx.prepare(decide)({
      id: row.id,
      turn: row.turn,
      lastAt: row.lastAt,
      nextAt: row.nextAt,
      pausedAt: row.pausedAt,
      ...to,
    }),
  );

export const record = (tx: Tx, run: NewRun): Bound => tx.prepare(insertRun)({ ...run });

/** A time that has a run was not missed. */
export const recordMissed = (tx: Tx, run: NewRun): Bound => tx.prepare(insertMissed)({ ...run });

/** Leaves no run that has no job of times that have not come. */
export const unmiss = (tx: Tx, name: string, now: Instant): Bound => tx.prepare(deleteAhead)({ name, now });

/** Jobs that had ended go on, and with them the runs that they were made for. It stands before what changes the jobs, which it reads. */
export const reopen = (tx: Tx, dialect: Dialect, jobIds: readonly string[]): Bound =>
  tx.prepare(reopenings[dialect])({ ids: JSON.stringify(jobIds) });

/** Rows are locked in the same order by all processes, so that no two wait for each other. */
const byName = (a: Checked, b: Checked) => (a.name < b.name ? -1 : 1);

export type ScheduleStore = ReturnType<typeof createScheduleStore>;

export function createScheduleStore(db: Db) {
  return {
    all: (): Promise<ScheduleRow[]> => db.all(db.prepare(selectAll)(), fresh),
    async find(id: string): Promise<ScheduleRow | null> {
      const [row] = await db.all(db.prepare(selectOne)({ id }), fresh);
      return row ?? null;
    },
    /** The job of a type that has this unique key. */
    async holder(name: string, key: string): Promise<{ id: string; state: JobState } | null> {
      const [row] = await db.all(db.prepare(selectHolder)({ name, key }), fresh);
      return row ?? null;
    },
    async declare(declared: readonly Checked[], now: Instant): Promise<void> {
      await db.atomic((tx) =>
        declared
          .toSorted(byName)
          .map(({ name, pattern, timezone, job, cron }) =>
            tx.prepare(declare)({ id: name, now, pattern, timezone, jobName: job.name, nextAt: cron.next(now) }),
          ),
      );
    },
    /** Says of those that nobody has spoken of since `before` that they are declared. */
    async seen(names: readonly string[], now: Instant, before: Instant): Promise<void> {
      await db.atomic((tx) => names.toSorted().map((id) => tx.prepare(seen)({ id, now, before })));
    },
    /** Takes the next time from those that nobody has declared since. */
    async retire(before: Instant): Promise<void> {
      await db.atomic((tx) => [tx.prepare(retire)({ before })]);
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
    /** Those that were due before and have not been looked after. */
    overdue: (before: Instant) => db.all(db.prepare(overdue)({ before }), fresh),
    /** How many were deleted. */
    async purgeRuns(before: Instant, limit: number): Promise<number> {
      const [gone] = await db.atomic((tx) => [tx.prepare(purgeRuns)({ before, limit })]);
      return gone.length;
    },
  };
}
