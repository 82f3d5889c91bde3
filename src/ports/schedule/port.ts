/**
 * Schedules: jobs that are enqueued when a clock on the wall shows a time.
 *
 * **The table is the truth.** A schedule is declared in code (`schedule`, define.ts); its row knows up to when it has been looked after
 * (`lastAt`). Each process that runs jobs ticks (a timer; on Workers the cron trigger, once a minute): it computes from the row and its own
 * declaration what was due since, and decides. One atomic list holds the decision: the row is moved on, guarded by its `turn`; the run is
 * written, unique by schedule and time; the job is enqueued. So one decision is made over any number of instances, there is no leader that
 * could be lost, and an instance that dies in between has done all of it or nothing.
 *
 * **What comes of a due time.** A run (`schedule_runs`):
 *
 *     fired     its job was enqueued. Several that were due since the last tick are one: the newest. `outcome` follows from the job.
 *     skipped   `overlap: "skip"`, and the job of an earlier run has not ended.
 *     missed    nobody ticked within 5 minutes of it, or a newer one was due as well. One run tells of all that were missed at once, and the
 *               log warns. With `catchUp` the newest is fired instead, however late, and stands for the others.
 *
 * **Changes.** A schedule whose pattern or time zone has changed, one that is new and one that is resumed starts anew: nothing is due before
 * that moment. While it is paused nothing is due either. One that no process has declared for 3 minutes is retired by those that tick: it has
 * no next time, and starts anew when it is back. Only processes that declare a schedule fire it, so two versions of the service that run side
 * by side each look after their own.
 *
 * **Time** is the clock of the processes, in whole minutes, in the schedule's time zone. What daylight saving does: cron.ts. A row that was
 * looked after further ahead than a minute was so by a wrong clock: it begins anew, and the log warns. No time is fired a second time for
 * that, whichever of the clocks it was.
 */
import type { Instant } from "../../core/clock.ts";
import type { RunCause, RunOutcome } from "../../core/schedule.ts";

export interface ScheduleRow {
  id: string;
  createdAt: Instant;
  pattern: string;
  timezone: string;
  jobName: string;
  pausedAt: Instant | null;
  lastAt: Instant | null;
  nextAt: Instant | null;
  seenAt: Instant | null;
  turn: number;
}

export interface NewRun {
  id: string;
  createdAt: Instant;
  scheduleName: string;
  dueAt: Instant;
  cause: RunCause;
  jobId: string | null;
  outcome: RunOutcome | null;
  error: { code: string; message: string } | null;
  startedAt: Instant | null;
  finishedAt: Instant | null;
}
