import { z } from "zod";
import { idPrefixes } from "../../core/id.ts";
import { jobStates } from "../../core/job.ts";
import { runCauses, runOutcomes } from "../../core/schedule.ts";
import type { ListSpec } from "../../http/list.ts";
import { instant, name, shown } from "../../http/schema.ts";

const shownInstant = (about: string) => shown.instant().nullable().describe(about);

const scheduleStates = ["active", "paused", "retired"] as const;
/** A run is as its job is, until it has ended. */
const runStates = [...new Set([...jobStates, ...runOutcomes])] as const;

export const ScheduleDto = z
  .object({
    name: shown.name().describe("Its name."),
    createdAt: shown.instant().describe("When it was first declared."),
    pattern: shown.line(200).describe("When it is due: minute, hour, day of the month, month, day of the week."),
    timezone: shown.line(100).describe("The time zone of the pattern."),
    job: shown.name().describe("The type of the jobs that it makes."),
    state: z.enum(scheduleStates).describe("A retired one is not declared any more, and shows what it was."),
    overlap: z
      .enum(["skip", "queue"])
      .nullable()
      .describe("What happens when the job of an earlier run has not ended: it is left out, or enqueued all the same."),
    catchUp: z.boolean().nullable().describe("Whether the newest of the runs that were missed is made up for."),
    pausedAt: shownInstant("Since when it is paused; null while it is not."),
    nextAt: shownInstant("When it is due next; null while it is paused or retired."),
    lastAt: shownInstant("What was due up to here has been looked after."),
  })
  .meta({ id: "Schedule", description: "A job that is enqueued at times of the clock." });

export const ScheduleRunDto = z
  .object({
    id: shown.id(idPrefixes.scheduleRun).describe("Sorts by the time of its making."),
    createdAt: shown.instant().describe("When it was fired, or found to be missed."),
    dueAt: shown.instant().describe("When it was due. For one that was asked for: when that was."),
    cause: z.enum(runCauses).describe("It was due; or it was missed and made up for; or somebody asked for it."),
    state: z
      .enum(runStates)
      .describe(
        "That of its job; or `skipped`, `missed`; or `unknown`, when its job was deleted before its end was seen.",
      ),
    jobId: shown.id(idPrefixes.job).nullable().describe("Jobs are deleted sooner than runs."),
    error: z
      .object({ code: shown.prose(100), message: shown.prose(4000).describe("Credentials in it are left out.") })
      .nullable()
      .describe("Why it did not end well, or was not fired."),
    startedAt: shownInstant("When the last attempt of its job began."),
    finishedAt: shownInstant("When it ended, for good or ill."),
    durationMs: z.number().meta({ minimum: 0, maximum: 1e13 }).nullable().describe("From its last start to its end."),
  })
  .meta({ id: "ScheduleRun", description: "One time of a schedule, and what came of it." });

export const ScheduleParams = z.strictObject({ name: name() });

export const ScheduleChanges = z
  .strictObject({
    paused: z.boolean().describe("While it is paused nothing is due, and nothing is made up for afterwards."),
  })
  .meta({ id: "ScheduleChanges" });

export const ScheduleStart = z
  .strictObject({ input: z.unknown().optional().describe("In place of the schedule's own; as its job type takes it.") })
  .meta({ id: "ScheduleStart" });

export const runList = {
  sort: ["-dueAt"],
  filter: { dueAt: { schema: instant(), ops: ["gt", "gte", "lt", "lte"] } },
  fields: ["id", "createdAt", "dueAt", "cause", "state", "jobId", "error", "startedAt", "finishedAt", "durationMs"],
} as const satisfies ListSpec;

export const scheduleExample = {
  name: "auth.sweep-sessions",
  createdAt: "2026-01-31T09:30:00.000Z",
  pattern: "20 3 * * *",
  timezone: "UTC",
  job: "auth.sweep-sessions",
  state: "active",
  overlap: "skip",
  catchUp: true,
  pausedAt: null,
  nextAt: "2026-02-02T03:20:00.000Z",
  lastAt: "2026-02-01T03:20:00.000Z",
};
export const pausedExample = {
  ...scheduleExample,
  state: "paused",
  pausedAt: "2026-02-01T10:00:00.000Z",
  nextAt: null,
};
export const runExample = {
  id: "run_01kfyb0m7ve4z9q2x8c5h3n6t1",
  createdAt: "2026-02-01T03:20:00.004Z",
  dueAt: "2026-02-01T03:20:00.000Z",
  cause: "cron",
  state: "done",
  jobId: "job_01kfyb0m7ve4z9q2x8c5h3n6t1",
  error: null,
  startedAt: "2026-02-01T03:20:00.007Z",
  finishedAt: "2026-02-01T03:20:00.031Z",
  durationMs: 24,
};
export const startedExample = {
  ...runExample,
  cause: "manual",
  state: "waiting",
  startedAt: null,
  finishedAt: null,
  durationMs: null,
};
