import { z } from "zod";
import { idPrefixes } from "../../core/id.ts";
import { jobStates } from "../../core/job.ts";
import type { ListSpec } from "../../http/list.ts";
import { id, instant, name, shown } from "../../http/schema.ts";

const shownInstant = (about: string) => shown.instant().nullable().describe(about);
const integer = (maximum: number) => z.int().meta({ minimum: 0, maximum });
const text = (max: number) => shown.prose(max);
const ms = (about: string) => z.number().meta({ minimum: 0, maximum: 1e13, description: about });

const error = z
  .object({
    code: text(100).describe(
      "An error code of the service, or `error`, `timeout`, `lost`, `deadline`, `expired`, `cancelled`, `payload`, `result`.",
    ),
    message: text(4000).describe("For operators. Credentials in it are left out."),
    attempt: integer(1_000_000).describe("The attempt that it ended."),
  })
  .nullable()
  .optional()
  .describe("What the last attempt ended with. Not for monitors.");

const about = {
  id: shown.id(idPrefixes.job).describe("Sorts by the time of its making."),
  createdAt: shown.instant().describe("When it was enqueued."),
  name: shown.name().describe("Its type."),
  queue: shown.name().describe("What operators pause and drain."),
  state: z.enum(jobStates),
  runAt: shown.instant().describe("When it was due, or will be."),
  attempt: integer(1_000_000).describe("How often it was started."),
  maxAttempts: integer(1_000_000),
  error,
  scheduleName: text(200).nullable().describe("The schedule that it was made by."),
  startedAt: shownInstant("When its last attempt began."),
  finishedAt: shownInstant("When it ended, for good or ill."),
};

export const ListedJobDto = z.object(about).meta({ id: "ListedJob", description: "A job, without what it was given." });

export const JobDto = z
  .object({
    ...about,
    priority: z.int().meta({ minimum: -2_147_483_648, maximum: 2_147_483_647 }).describe("Higher is sooner."),
    input: z
      .unknown()
      .optional()
      .describe("What it was given, without what looks like a credential. Not for monitors."),
    inputVersion: integer(1_000_000).describe("The version of its type's input."),
    progress: z.unknown().optional().describe("What its handler last reported. Not for monitors."),
    result: z.unknown().optional().describe("What its handler answered, where its type keeps that. Not for monitors."),
    workerId: shown.id(idPrefixes.jobWorker).nullable().describe("Who runs it, or ran it last."),
    groupKey: text(1000).nullable().optional().describe("The group whose limits it counts against."),
    uniqueKey: text(1000).nullable().optional().describe("While it is held, no other job of its type and key is made."),
    expiresAt: shownInstant("After this it does not start."),
    deadlineAt: shownInstant("When it has to be done."),
    actor: z
      .object({ type: text(20), id: text(200).nullable() })
      .nullable()
      .optional()
      .describe("Who caused it."),
    requestId: text(200).nullable().optional().describe("The request that it follows from."),
    traceId: text(64).nullable().optional(),
  })
  .meta({ id: "Job", description: "Work that was promised, and how far it is." });

export const JobParams = z.strictObject({ id: id(idPrefixes.job) });
export const NameParams = z.strictObject({ name: name() });

export const jobList = {
  sort: ["-id"],
  filter: {
    name: { schema: name(), ops: ["eq"] },
    queue: { schema: name(), ops: ["eq"] },
    state: { schema: z.enum(jobStates), ops: ["eq"] },
    createdAt: { schema: instant(), ops: ["gt", "gte", "lt", "lte"] },
  },
  fields: Object.keys(about),
} as const satisfies ListSpec;

const attempts = z.int().min(1).max(100).default(5).describe("How many further attempts it gets.");
export const JobRetry = z.strictObject({ attempts }).meta({ id: "JobRetry" });

export const DeadJobsRetry = z
  .strictObject({
    attempts,
    limit: z.int().min(1).max(1000).default(1000).describe("How many at most, oldest first."),
    diedBy: instant()
      .optional()
      .describe(
        "Only those that had died by then; without it, by the time of the request. Whoever sends the request again, because there are more, gives the same time with each: what has died anew in between does not run yet another time.",
      ),
  })
  .meta({ id: "DeadJobsRetry" });

export const JobsPurge = z
  .strictObject({
    state: z.enum(["done", "failed", "cancelled"]).describe("Which of those that have ended."),
    olderThanS: z.int().min(0).max(315_360_000).describe("How long ago they ended at least, in seconds."),
    limit: z.int().min(1).max(10_000).default(1000).describe("How many at most, oldest first."),
  })
  .meta({ id: "JobsPurge" });

export const AffectedJobs = z
  .object({
    jobs: integer(1e15).describe("How many jobs it was."),
    more: z.boolean().describe("Whether there may be more than the limit: send the request again, with another key."),
  })
  .meta({ id: "AffectedJobs" });

const Times = z
  .object({
    count: integer(1e15).describe("Of how many attempts."),
    meanMs: ms("The mean."),
    maxMs: ms("The longest."),
    p50Ms: ms("Half were shorter; estimated."),
    p95Ms: ms("19 of 20 were shorter; estimated."),
  })
  .meta({ id: "JobTimes", description: "How long something took, in milliseconds." });

const rates = {
  done: integer(1e15).describe("Jobs that ended well."),
  retried: integer(1e15).describe("Attempts that failed, and were given another."),
  failed: integer(1e15).describe("Jobs that died."),
  cancelled: integer(1e15).describe("Jobs that somebody cancelled, or that waited for too long."),
  wait: Times.describe("From due to start."),
  run: Times.describe("From start to end."),
};

const counts = z.object({
  waiting: integer(1e15),
  delayed: integer(1e15),
  active: integer(1e15),
  retrying: integer(1e15),
  failed: integer(1e15).describe("Dead ones that are still kept."),
  cancelled: integer(1e15).describe("Those that are still kept."),
});

export const QueueDto = z
  .object({
    name: shown.name().describe("Its name."),
    pausedAt: shownInstant("Since when workers take nothing of it; null while they do."),
    counts: counts.describe("How many jobs are in which state now. Those that are done are counted by the minute."),
    oldestWaitingMs: ms("How long the job has waited that has waited longest.").nullable(),
    lastMinutes: z
      .object({ minutes: integer(60), ...rates })
      .describe("What happened in the minute that runs and those before it."),
  })
  .meta({ id: "Queue", description: "What jobs are enqueued to, and operators pause and drain." });

export const QueueMinuteDto = z
  .object({
    id: z.string().meta({ minLength: 1, maxLength: 250, pattern: "^[\\w.:/-]+$" }),
    minute: shown.instant().describe("When the minute began."),
    name: shown.name().describe("The type of the jobs."),
    ...rates,
  })
  .meta({ id: "QueueMinute", description: "What happened to the jobs of a type in one minute." });

export const minuteList = {
  sort: ["-minute"],
  filter: {
    name: { schema: name(), ops: ["eq"] },
    minute: { schema: instant(), ops: ["gte", "lt"] },
  },
  fields: ["id", "minute", "name", ...Object.keys(rates)],
} as const satisfies ListSpec;

export type AffectedJobs = z.output<typeof AffectedJobs>;
export type JobsPurge = z.output<typeof JobsPurge>;
export type DeadJobsRetry = z.output<typeof DeadJobsRetry>;

export const jobExample = {
  id: "job_01kfyb0m7ve4z9q2x8c5h3n6t1",
  createdAt: "2026-01-31T09:30:00.000Z",
  name: "mail.send",
  queue: "default",
  state: "failed",
  runAt: "2026-01-31T09:31:07.250Z",
  attempt: 5,
  maxAttempts: 5,
  error: { code: "timeout", message: "It took longer than its type allows.", attempt: 5 },
  scheduleName: null,
  startedAt: "2026-01-31T09:31:07.260Z",
  finishedAt: "2026-01-31T09:32:07.261Z",
};
export const wholeJobExample = {
  ...jobExample,
  priority: 0,
  input: { userId: "user_01kfyb0m7ve4z9q2x8c5h3n6t1", token: "[redacted]" },
  inputVersion: 1,
  progress: null,
  result: null,
  workerId: "wrk_01kfyb0m7ve4z9q2x8c5h3n6t1",
  groupKey: null,
  uniqueKey: null,
  expiresAt: null,
  deadlineAt: null,
  actor: { type: "user", id: "user_01kfyb0m7ve4z9q2x8c5h3n6t1" },
  requestId: "0198c0de-7a51-7c3e-8f20-5b6c7d8e9f01",
  traceId: "0af7651916cd43dd8448eb211c80319c",
};
export const retriedExample = { ...wholeJobExample, state: "waiting", maxAttempts: 10, finishedAt: null };
export const cancelledExample = {
  ...wholeJobExample,
  state: "cancelled",
  error: { code: "cancelled", message: "An operator cancelled it.", attempt: 5 },
};
const timesExample = { count: 1210, meanMs: 4.2, maxMs: 61.5, p50Ms: 3.1, p95Ms: 9.4 };
const ratesExample = { done: 1204, retried: 5, failed: 1, cancelled: 0, wait: timesExample, run: timesExample };
export const queueExample = {
  name: "default",
  pausedAt: null,
  counts: { waiting: 12, delayed: 3, active: 20, retrying: 1, failed: 1, cancelled: 0 },
  oldestWaitingMs: 140,
  lastMinutes: { minutes: 5, ...ratesExample },
};
export const minuteExample = {
  id: "2026-01-31T09:30:00.000Z/default/mail.send",
  minute: "2026-01-31T09:30:00.000Z",
  name: "mail.send",
  ...ratesExample,
};
