/** The tables of jobs and schedules. What they mean is told in src/ports/queue/port.ts. */
import { isNotNull, isNull, sql } from "drizzle-orm";
import type { Actor } from "../src/core/actor.ts";
import { jobStates } from "../src/core/job.ts";
import type { RunCause, RunOutcome } from "../src/core/schedule.ts";
import { type Kit, oneOf } from "./kit.ts";

/** The buckets of times in `job_minutes`, and up to how many milliseconds each counts; the last one has no end. */
export const buckets = ["10ms", "100ms", "1s", "10s", "60s", "More"] as const;
export const bucketEdges = [10, 100, 1_000, 10_000, 60_000] as const;

export function defineQueue(kit: Kit) {
  const count = () => kit.int().notNull().default(0);
  const timed = <N extends string>(what: N) =>
    Object.fromEntries(buckets.map((bucket) => [`${what}${bucket}`, count()])) as Record<
      `${N}${(typeof buckets)[number]}`,
      ReturnType<typeof count>
    >;

  /**
   * Every job that was ever enqueued and is still kept. `attempt` is the row's version: whoever holds (id, attempt) of an active job may
   * change it, and nobody else. Each change of state writes a new row version to the indexes whose condition it meets, so each index holds
   * only what it is read for: a finished job is in the primary key and the one by `purge_at`.
   */
  const jobs = kit.table(
    "jobs",
    {
      ...kit.entry(),
      name: kit.text().notNull(),
      queue: kit.text().notNull(),
      state: kit.text().$type<(typeof jobStates)[number]>().notNull(),
      /** The negated priority, so that both columns of the claim's order ascend. */
      rank: kit.int().notNull().default(0),
      /** When it was due, or will be. */
      runAt: kit.instant().notNull(),
      input: kit.json<unknown>().notNull(),
      inputVersion: kit.int().notNull(),
      attempt: kit.int().notNull().default(0),
      maxAttempts: kit.int().notNull(),
      workerId: kit.text(),
      groupKey: kit.text(),
      /** Held while another with this key may not exist; then null. */
      uniqueKey: kit.text(),
      uniqueUntil: kit.text().$type<"start" | "end">(),
      /** After this it does not start: its time to live until the first start, its deadline from then on. */
      expiresAt: kit.instant(),
      deadlineAt: kit.instant(),
      progress: kit.json<unknown>(),
      result: kit.json<unknown>(),
      error: kit.json<{ code: string; message: string; attempt: number } | null>(),
      actor: kit.json<Actor | null>(),
      traceId: kit.text(),
      requestId: kit.text(),
      scheduleName: kit.text(),
      /** When a carrier was given the id of the waiting job; null: it is to be given. */
      sentAt: kit.instant(),
      startedAt: kit.instant(),
      finishedAt: kit.instant(),
      purgeAt: kit.instant(),
    },
    (t) => [
      kit.index("jobs_waiting_index").on(t.name, t.rank, t.id).where(sql`${t.state} = 'waiting'`),
      kit.index("jobs_due_index").on(t.runAt).where(sql`${t.state} in ('delayed', 'retrying')`),
      kit.index("jobs_active_index").on(t.workerId).where(sql`${t.state} = 'active'`),
      kit
        .index("jobs_group_index")
        .on(t.name, t.groupKey, t.state, t.rank, t.id)
        .where(sql`${t.groupKey} is not null and ${t.state} in ('waiting', 'active')`),
      kit.unique("jobs_unique_key_unique").on(t.name, t.uniqueKey).where(isNotNull(t.uniqueKey)),
      kit
        .index("jobs_expires_at_index")
        .on(t.expiresAt)
        .where(sql`${t.expiresAt} is not null and ${t.state} in ('waiting', 'delayed', 'retrying')`),
      kit.index("jobs_purge_at_index").on(t.purgeAt).where(isNotNull(t.purgeAt)),
      kit.index("jobs_dead_index").on(t.name, t.id).where(sql`${t.state} in ('failed', 'cancelled')`),
      kit.check("jobs_state_check", oneOf(t.state, jobStates)),
      kit.check("jobs_unique_until_check", oneOf(t.uniqueUntil, ["start", "end"])),
    ],
  );

  /** What an operator has said of a queue; its id is the queue's name. A queue without a row runs. */
  const jobQueues = kit.table("job_queues", { ...kit.entry(), pausedAt: kit.instant() });

  /** A lease of each process that runs jobs: while `seen_at` is moved on, what it has claimed is its own. */
  const jobWorkers = kit.table("job_workers", {
    ...kit.entry(),
    seenAt: kit.instant().notNull(),
    /** The job types that it knows. */
    names: kit.json<string[]>().notNull(),
    concurrency: kit.int().notNull(),
    dispatch: kit.text().notNull(),
  });

  /** What happened to the jobs of a type in one minute; `id` is `<minute>/<queue>/<name>`. */
  const jobMinutes = kit.table(
    "job_minutes",
    {
      ...kit.entry(),
      minute: kit.instant().notNull(),
      queue: kit.text().notNull().default("default"),
      name: kit.text().notNull(),
      done: count(),
      retried: count(),
      failed: count(),
      cancelled: count(),
      /** From due to start, and from start to end, in milliseconds: sums and largest values. */
      waitMs: kit.real().notNull().default(0),
      waitMaxMs: kit.real().notNull().default(0),
      runMs: kit.real().notNull().default(0),
      runMaxMs: kit.real().notNull().default(0),
      ...timed("wait"),
      ...timed("run"),
    },
    (t) => [kit.index("job_minutes_minute_index").on(t.minute)],
  );

  /** An alert that holds, or one whose end is still to be told. It is told once over all instances: by whoever takes its `turn`. */
  const alerts = kit.table(
    "alerts",
    {
      ...kit.entry(),
      kind: kit.text().notNull(),
      subject: kit.text().notNull(),
      detail: kit.json<Record<string, unknown>>().notNull(),
      /** When its condition was last found to hold. */
      seenAt: kit.instant().notNull(),
      toldAt: kit.instant(),
      /** When its condition was found to hold no more. The row goes when that is told. */
      clearedAt: kit.instant(),
      /** Counts the tries to tell it; whoever moves it on may try, and nobody else before `tellAt`. */
      turn: count(),
      /** Null: there is nothing to tell. */
      tellAt: kit.instant(),
    },
    (t) => [kit.unique("alerts_kind_subject_unique").on(t.kind, t.subject)],
  );

  /** What is known of a schedule beside its declaration in code; its id is its name. What it means is told in src/ports/schedule/port.ts. */
  const schedules = kit.table("schedules", {
    ...kit.entry(),
    pattern: kit.text().notNull(),
    timezone: kit.text().notNull(),
    jobName: kit.text().notNull(),
    pausedAt: kit.instant(),
    /** What was due up to here has been looked after. It moves on, unless a clock had been wrong. */
    lastAt: kit.instant(),
    /** Null: no process has declared it for a while. */
    nextAt: kit.instant(),
    /** When a process that declares it last said so. */
    seenAt: kit.instant(),
    /** Rises with each decision; whoever moves it on has decided, and nobody else. */
    turn: count(),
  });

  /** One firing, or what came of it. The unique row is what makes it one over any number of instances. */
  const scheduleRuns = kit.table(
    "schedule_runs",
    {
      ...kit.entry(),
      scheduleName: kit.text().notNull(),
      dueAt: kit.instant().notNull(),
      cause: kit.text().$type<RunCause>().notNull(),
      /** Null for one that was skipped, or missed. */
      jobId: kit.text(),
      /** Null while its job goes on. Kept here, because jobs are deleted sooner. */
      outcome: kit.text().$type<RunOutcome>(),
      error: kit.json<{ code: string; message: string } | null>(),
      startedAt: kit.instant(),
      finishedAt: kit.instant(),
    },
    (t) => [
      kit.unique("schedule_runs_due_unique").on(t.scheduleName, t.dueAt),
      kit.index("schedule_runs_open_index").on(t.jobId).where(isNull(t.outcome)),
      kit.index("schedule_runs_created_at_index").on(t.createdAt),
    ],
  );

  return { jobs, jobQueues, jobWorkers, jobMinutes, alerts, schedules, scheduleRuns };
}
