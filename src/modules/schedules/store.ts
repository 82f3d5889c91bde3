import { eq, sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import type { ListInput, Page } from "../../core/page.ts";
import { pages } from "../../ports/db/page.ts";
import type { Db, Reads } from "../../ports/db/port.ts";

/** A run, and its job as long as that is kept. */
const columns = ({ scheduleRuns, jobs }: Tables) => ({
  id: scheduleRuns.id,
  createdAt: scheduleRuns.createdAt,
  dueAt: scheduleRuns.dueAt,
  cause: scheduleRuns.cause,
  jobId: scheduleRuns.jobId,
  outcome: scheduleRuns.outcome,
  error: scheduleRuns.error,
  startedAt: scheduleRuns.startedAt,
  finishedAt: scheduleRuns.finishedAt,
  jobState: jobs.state,
  jobError: jobs.error,
  jobStartedAt: jobs.startedAt,
  jobFinishedAt: jobs.finishedAt,
});

type Columns = ReturnType<typeof columns>;
type Run = Tables["scheduleRuns"]["$inferSelect"];
type Job = Tables["jobs"]["$inferSelect"];
export type RunRow = Omit<Run, "scheduleName"> & {
  jobState: Job["state"] | null;
  jobError: Job["error"];
  jobStartedAt: string | null;
  jobFinishedAt: string | null;
};

/** The runs of one schedule, page by page. */
export function runPages(db: Db) {
  const list = pages<RunRow>(db, {
    columns,
    from: (q, { scheduleRuns, jobs }, selected) =>
      q
        .select(selected as Columns)
        .from(scheduleRuns)
        .leftJoin(jobs, eq(jobs.id, scheduleRuns.jobId)) as never,
  });
  const ofSchedule = eq(db.tables.scheduleRuns.scheduleName, sql.placeholder("schedule"));
  return (schedule: string, input: ListInput, reads: Reads): Promise<Page<RunRow>> =>
    list(input, { key: "of a schedule", sql: ofSchedule, values: { schedule } }, reads);
}
