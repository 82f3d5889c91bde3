/**
 * Jobs: work that is promised in a commit and done later, at least once.
 *
 * **The record.** Every job is a row of `jobs`, on every engine and with every dispatch. It is written in the atomic list of the change
 * that it follows from (`enqueue`), so it exists if and only if that change does. States:
 *
 *     waiting    due; the next free worker that knows its name takes it, higher priority first, then older
 *     delayed    not due before `runAt`; becomes waiting then
 *     active     held by a worker; `attempt` counts how often that has happened
 *     retrying   an attempt failed; becomes waiting at `runAt`
 *     done       ended well; `result` is what the handler answered, if its type declares a result
 *     failed     dead: its attempts are used up, or its error is not retryable, or its deadline has passed
 *     cancelled  ended by somebody, or its time to live was over before it started
 *
 * **Fencing.** (id, attempt) is the right to change an active job. An attempt that was taken away (cancelled, or its worker was found dead)
 * keeps running until it notices, and its answer is rejected. Attempts therefore never overlap in the record, but may in the world: a
 * handler whose effects lie outside of the database has to bear running twice.
 *
 * **Leases.** A worker process has one row, which it touches every 3 s. One that was not seen for 10 s is dead: whoever notices puts its
 * jobs back, after at most 15 s in all. A job whose worker died has used an attempt, so that one which kills its process dies as well.
 *
 * **Order.** Within a name by priority, then by id (time of making, to the millisecond). While more waits than fits, a job of higher priority
 * may be a quarter of a second late. Nothing is promised between names, nor after a retry.
 *
 * **Time** is the clock of the processes, which are taken to agree within 3 s. What is wrong then is when something happens, never whether.
 *
 * **What differs** between deployments is only how a due job reaches a worker: the `Dispatch`.
 */
import type { Actor } from "../../core/actor.ts";
import type { Instant } from "../../core/clock.ts";
import type { JobState } from "../../core/job.ts";

/** Because of whom and of what a job is enqueued. A verb's `ctx` is one, and so is a handler's. */
export interface Cause {
  readonly actor: Actor;
  readonly requestId: string | null;
  readonly traceId: string | null;
  readonly now: Instant;
}

/** Exists once: another with this key does not come beside it. */
export interface Unique {
  /** At most 2,000 bytes, as those of groups. */
  key: string;
  /**
   * `skip`: while one exists that has not ended, no other is made. One whose time to live or deadline is over counts as ended.
   *
   * `replace`: one that has not started takes all that is said of the new one, and keeps its id and its time; its time to live is counted
   * from that time or from now, whichever is later. One that has started does not hinder, unless it was made by `skip`: that holds the key
   * until it has ended.
   *
   * `debounce`: as `replace`, and its delay begins anew.
   */
  mode: "skip" | "replace" | "debounce";
}

export interface EnqueueOptions {
  delayMs?: number;
  /** In place of `delayMs`. */
  runAt?: Instant;
  /** Whole numbers of four bytes; higher is sooner. Default: the type's, else 0. */
  priority?: number;
  unique?: Unique;
  /** The group whose concurrency and rate it counts against, where its type declares such. Default: the type's, else one for all. */
  group?: string;
  /** When it has to be done: later it does not start, and is aborted. It is failed then. */
  deadlineAt?: Instant;
  /** How long it may wait, from when it is due to its first start, in milliseconds; it is cancelled then. Default: the type's, else for ever. */
  ttlMs?: number;
  /** The schedule that it was made by. */
  scheduleName?: string;
}

export interface JobError {
  /** An `ErrorCode`, or `error`, `timeout`, `lost` (its worker died), `deadline`, `expired`, `cancelled`, `payload`, `result`. */
  code: string;
  /** For operators; may hold what the handler knew. */
  message: string;
  /** The attempt that it ended. */
  attempt: number;
}

/** A job as it is stored. */
export interface Job {
  id: string;
  createdAt: Instant;
  name: string;
  queue: string;
  state: JobState;
  priority: number;
  runAt: Instant;
  input: unknown;
  inputVersion: number;
  attempt: number;
  maxAttempts: number;
  workerId: string | null;
  groupKey: string | null;
  uniqueKey: string | null;
  expiresAt: Instant | null;
  deadlineAt: Instant | null;
  progress: unknown;
  result: unknown;
  error: JobError | null;
  actor: Actor | null;
  traceId: string | null;
  requestId: string | null;
  scheduleName: string | null;
  startedAt: Instant | null;
  finishedAt: Instant | null;
}

/** A job as its worker gets it: active, and held under (id, attempt). */
export type ClaimedJob = Pick<
  Job,
  | "id"
  | "name"
  | "queue"
  | "runAt"
  | "input"
  | "inputVersion"
  | "attempt"
  | "maxAttempts"
  | "groupKey"
  | "deadlineAt"
  | "actor"
  | "traceId"
  | "requestId"
  | "scheduleName"
> & {
  /** Where the row lies on PostgreSQL, for a shorter way to it. It may move. */
  place: string | null;
};

/** What is known when an attempt has ended, as the record takes it. One that makes its job `waiting` or `delayed` is not counted. */
export interface Outcome {
  id: string;
  attempt: number;
  state: Extract<JobState, "done" | "retrying" | "failed" | "waiting" | "delayed">;
  /** For `done`: the JSON of what the handler answered. */
  result: string | null;
  error: JobError | null;
  /** For `retrying`: when it runs again. */
  runAt: Instant | null;
  /** When the row may be deleted; null for one that goes on. */
  purgeAt: Instant | null;
  /** For `done`: nothing of it is kept. */
  drop?: boolean;
  /** As the claim told it. */
  place?: string | null;
}

/** An outcome, and who says so: a worker of its own job, or whoever found that worker dead. */
export interface Settlement extends Outcome {
  workerId: string;
}

/** What happens to jobs, as listeners are told. `failed` is said of every attempt that ended in an error, before `retried` or `dead`. */
export type JobEvent = { id: string; name: string; queue: string; attempt: number; at: Instant } & (
  | { kind: "started"; waitMs: number }
  | { kind: "progress"; value: unknown }
  | { kind: "completed"; runMs: number; waitMs: number }
  | { kind: "failed"; runMs: number; waitMs: number; error: JobError }
  | { kind: "retried"; runAt: Instant }
  | { kind: "dead"; error: JobError }
  /** `counted`: it ran here when it was taken away; whoever cancelled it has counted it and told all who watch. */
  | { kind: "cancelled"; counted?: true }
);

/** How due jobs reach a worker. */
export interface Dispatch {
  readonly name: DispatchName;
  /** Brings ids of due jobs to workers; null where the worker claims rows itself. */
  readonly carrier: Carrier | null;
}

export type DispatchName = "database" | "inline" | "bullmq" | "cloudflare";

/** The id of a waiting job on its way to a worker. Nothing else of it travels. */
export interface DueJob {
  id: string;
  name: string;
  queue: string;
  priority: number;
  /** How often it has been claimed before; with the id it tells one sending from another. */
  attempt: number;
}

/**
 * A carrier may lose an id (it is sent again after a while) and deliver one twice (the second finds that the job is not waiting any more):
 * neither loses a job nor doubles one.
 */
export interface Carrier {
  /** After how long a job that still waits is sent again: the carrier may have lost it, or who was to send it has died. */
  readonly resendMs: number;
  /** Resolves when the carrier has all of them, in this order. Throws when it may not have them: they are sent again. */
  send(jobs: readonly DueJob[]): Promise<void>;
  /** From now on it brings ids to the consumer. Absent where the platform does that (Cloudflare calls `queue()`). */
  listen?(consumer: Consumer): Promise<void>;
  /** Brings no more, and resolves when those that it brought have been answered. */
  quiet?(): Promise<void>;
  /** Closes what it opened itself. */
  close(): Promise<void>;
}

export interface Consumer {
  /** How many at once. */
  readonly concurrency: number;
  /** Runs those of these jobs that are waiting. Resolves when each has ended and its end is recorded; throws when the record does not answer. */
  deliver(ids: readonly string[]): Promise<void>;
}

/** What a dispatch cannot do, as data; README's table of drivers is made of it. */
export interface DispatchCapabilities {
  /** What it needs beside the database. */
  needs: string | null;
  /** A job of higher priority overtakes those that were due before it; else only those that are handed over together with it. */
  priority: boolean;
  /**
   * Within what time a due job starts that no commit and no message announced (it was delayed, or is tried again), in milliseconds: on
   * servers, and on Workers, where nothing runs between requests but the cron trigger. null: it does not run there.
   */
  unannouncedMs: { servers: number | null; Workers: number | null };
}

export const dispatchCapabilities: Record<Exclude<DispatchName, "inline">, DispatchCapabilities> = {
  database: { needs: null, priority: true, unannouncedMs: { servers: 1_000, Workers: 60_000 } },
  bullmq: { needs: "Redis", priority: true, unannouncedMs: { servers: 1_000, Workers: null } },
  cloudflare: { needs: "a queue", priority: false, unannouncedMs: { servers: null, Workers: 60_000 } },
};

/** The bus topic of wake-ups and cancellations (and of events, for those who watch). Ids only; missing one costs a poll, nothing else. */
export const JOBS_TOPIC = "jobs";
/** Messages of the topic: jobs may be due; the job with this id was taken away from its worker. */
export const WAKE = "wake";
export const cancelMessage = (id: string) => `cancel ${id}`;
export const cancelledId = (message: string): string | null =>
  message.startsWith("cancel ") ? message.slice("cancel ".length) : null;
