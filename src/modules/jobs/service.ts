/** Operating the queue. What the verbs do to jobs is one statement each (ports/queue/operate.ts), which commits with its audit entry. */
import { actorId } from "../../core/actor.ts";
import { addMs } from "../../core/clock.ts";
import { AppError } from "../../core/error.ts";
import type { ListInput, Page } from "../../core/page.ts";
import type { Context } from "../../policy/context.ts";
import { refused } from "../../policy/explain.ts";
import { show, showAll } from "../../policy/fields.ts";
import { whereListed } from "../../policy/listed.ts";
import { may } from "../../policy/may.ts";
import type { Bus } from "../../ports/bus/port.ts";
import { type Db, must } from "../../ports/db/port.ts";
import { oldestWaiting } from "../../ports/queue/lag.ts";
import { countCancelled, minutesAgo } from "../../ports/queue/minutes.ts";
import { publishCancelled } from "../../ports/queue/news.ts";
import {
  cancelJob,
  createJobReads,
  drainQueue,
  type Ended,
  pauseQueue,
  purgeJobs,
  retryJobs,
} from "../../ports/queue/operate.ts";
import { cancelMessage, JOBS_TOPIC, type Job, WAKE } from "../../ports/queue/port.ts";
import { reopen } from "../../ports/schedule/runs.ts";
import { audit } from "../audit/statement.ts";
import { keep, keepCount } from "../idempotency/store.ts";
import { jobPages, type ListedJob, listedColumns } from "./list.ts";
import { addUp, type Rates, ratesOf } from "./rates.ts";
import { redactJob } from "./redact.ts";
import type { DeadJobsRetry, JobsPurge } from "./schema.ts";
import { createJobsStore, type QueueMinute } from "./store.ts";

export interface JobsDeps {
  db: Db;
  /** By it whoever runs a job learns at once that it was cancelled. */
  bus: Bus;
}

export type Jobs = ReturnType<typeof createJobs>;

interface Affected {
  jobs: number;
  more: boolean;
}

export interface QueueState {
  name: string;
  pausedAt: string | null;
  counts: Record<(typeof COUNTED)[number], number>;
  oldestWaitingMs: number | null;
  lastMinutes: Rates & { minutes: number };
}

const COUNTED = ["waiting", "delayed", "active", "retrying", "failed", "cancelled"] as const;
/** The minute that runs, and those before it. */
const RATE_MINUTES = 5;
const MAX_QUEUES = 500;
/** How many one request drains: 150 to 300 ms of PostgreSQL. */
const DRAINED = 10_000;
const ENDED = new Set(["done", "failed", "cancelled"]);
const entity = (id: string) => ({ type: "Job", id });
const queueEntity = (id: string) => ({ type: "Queue", id });

export function createJobs({ db, bus }: JobsDeps) {
  const reads = createJobReads(db);
  const store = createJobsStore(db);
  const page = jobPages(db);
  const columns = listedColumns(db.tables);

  function shown(ctx: Context, job: Job) {
    const { actor, ...rest } = redactJob(show(ctx, "Job", job) as Job);
    return { ...rest, ...(actor !== undefined && { actor: actor && { type: actor.type, id: actorId(actor) } }) };
  }

  async function seen(ctx: Context, id: string): Promise<Job> {
    const job = await reads.find(id);
    if (!job || !may(ctx.ability, "read", "Job", job)) throw refused("not_found", ctx.ability, "read", "Job");
    return job;
  }

  /** A change by a command, or of a queue, is no commit that a worker's process hears of. */
  const wake = () => bus.publish(JOBS_TOPIC, WAKE);

  /**
   * Jobs that wait are in no process whose events would tell of them, so whoever cancels them does. It is done when this is called, and is
   * answered so: a number that could not be added to the rates is lost, as with a process that dies.
   */
  async function tellCancelled(ctx: Context, jobs: readonly Ended[]) {
    publishCancelled(bus, jobs);
    await countCancelled(db, ctx.now, jobs).catch(() => {});
  }

  async function setPaused(ctx: Context, queue: string, pausedAt: string | null): Promise<void> {
    const before = (await reads.paused()).find((known) => known.queue === queue)?.pausedAt ?? null;
    if ((before === null) === (pausedAt === null)) return;
    await db.atomic((tx) => [
      audit(tx, ctx, {
        action: pausedAt === null ? "queue.resume" : "queue.pause",
        entity: queueEntity(queue),
        before: { pausedAt: before },
        after: { pausedAt },
      }),
      pauseQueue(tx, queue, ctx.now, pausedAt),
      keep(tx, ctx, undefined),
    ]);
    if (pausedAt === null) wake();
  }

  return {
    async list(ctx: Context, input: ListInput): Promise<Page<ListedJob>> {
      const condition = whereListed(ctx.ability, "Job", columns, input);
      if (condition.never) return { items: [], more: false, total: input.count ? 0 : null };
      const found = await page(input, condition, ctx);
      const items = showAll(ctx, "Job", found.items).map((job) => redactJob(job));
      return { ...found, items: items as ListedJob[] };
    },

    get: async (ctx: Context, id: string) => shown(ctx, await seen(ctx, id)),

    /** A job that has failed or was cancelled runs again, with so many further attempts. */
    async retry(ctx: Context, id: string, attempts: number) {
      const before = await seen(ctx, id);
      if (before.state !== "failed" && before.state !== "cancelled")
        throw new AppError("conflict", {
          detail: `Only failed and cancelled jobs run again; this one is ${before.state}.`,
        });
      const after: Job = {
        ...before,
        state: "waiting",
        runAt: ctx.now,
        maxAttempts: before.attempt + attempts,
        finishedAt: null,
        expiresAt: null,
        deadlineAt: null,
      };
      await db.atomic((tx) => [
        reopen(tx, db.dialect, [id]),
        must(retryJobs(tx, db.dialect, [id], ctx.now, attempts)),
        audit(tx, ctx, { action: "job.retry", entity: entity(id), ...changed(before, after) }),
        keep(tx, ctx, shown(ctx, after)),
      ]);
      wake();
      return shown(ctx, after);
    },

    /** One that runs is taken from its worker, whose answer no longer counts. */
    async cancel(ctx: Context, id: string) {
      const before = await seen(ctx, id);
      if (ENDED.has(before.state))
        throw new AppError("conflict", { detail: `The job has ended: it is ${before.state}.` });
      const reason = "An operator cancelled it.";
      const after: Job = {
        ...before,
        state: "cancelled",
        error: { code: "cancelled", message: reason, attempt: before.attempt },
        uniqueKey: null,
        finishedAt: ctx.now,
      };
      const [ended] = await db.atomic((tx) => [
        must(cancelJob(tx, db.dialect, id, ctx.now, reason)),
        audit(tx, ctx, { action: "job.cancel", entity: entity(id), ...changed(before, after) }),
        keep(tx, ctx, shown(ctx, after)),
      ]);
      bus.publish(JOBS_TOPIC, cancelMessage(id));
      await tellCancelled(ctx, ended);
      return shown(ctx, after);
    },

    /**
     * Dead jobs of a type run again; those that died after `diedBy` do not, or one that dies at once would run with every batch. As in the other
     * verbs about many jobs, how many they were is counted by the list itself.
     */
    async retryDead(
      ctx: Context,
      name: string,
      { attempts, limit, diedBy = ctx.now }: DeadJobsRetry,
    ): Promise<Affected> {
      const ids = await reads.dead(name, diedBy, limit);
      if (ids.length === 0) return { jobs: 0, more: false };
      const answer = (jobs: number): Affected => ({ jobs, more: ids.length === limit });
      const [, , retried] = await db.atomic((tx) => [
        reopen(tx, db.dialect, ids),
        audit(tx, ctx, {
          action: "job.retry-dead",
          entity: { type: "JobType", id: name },
          after: { attempts, from: ids[0], to: ids.at(-1), atMost: ids.length },
        }),
        retryJobs(tx, db.dialect, ids, ctx.now, attempts),
        keepCount({ db, tx }, ctx, answer, limit),
      ]);
      wake();
      return answer(retried.length);
    },

    /** Deletes jobs that have ended, oldest first. */
    async purge(ctx: Context, { state, olderThanS, limit }: JobsPurge): Promise<Affected> {
      const before = addMs(ctx.now, -olderThanS * 1000);
      const answer = (jobs: number): Affected => ({ jobs, more: jobs === limit });
      const [, gone] = await db.atomic((tx) => [
        audit(tx, ctx, {
          action: "job.purge",
          entity: { type: "JobState", id: state },
          after: { endedBefore: before, limit },
        }),
        purgeJobs(tx, state, before, limit),
        keepCount({ db, tx }, ctx, answer, limit),
      ]);
      return answer(gone.length);
    },

    async queues(ctx: Context): Promise<QueueState[]> {
      const [counts, paused, waiting, recent] = await Promise.all([
        reads.counts(),
        reads.paused(),
        oldestWaiting(db, ctx.now),
        store.countsSince(minutesAgo(ctx.now, RATE_MINUTES - 1), ctx),
      ]);
      const names = new Set([...counts, ...paused, ...recent].map(({ queue }) => queue));
      return [...names]
        .filter((name) => may(ctx.ability, "read", "Queue", { name }))
        .sort()
        .slice(0, MAX_QUEUES)
        .map((name) => {
          const own = <T extends { queue: string }>(rows: readonly T[]) => rows.filter(({ queue }) => queue === name);
          return {
            name,
            pausedAt: own(paused)[0]?.pausedAt ?? null,
            counts: Object.fromEntries(
              COUNTED.map((state) => [
                state,
                own(counts).reduce((sum, row) => (row.state === state ? sum + row.count : sum), 0),
              ]),
            ) as QueueState["counts"],
            oldestWaitingMs: own(waiting)[0]?.ms ?? null,
            lastMinutes: { minutes: RATE_MINUTES, ...ratesOf(addUp(own(recent))) },
          };
        });
    },

    minutes: (ctx: Context, queue: string, input: ListInput): Promise<Page<QueueMinute>> =>
      store.minutes(queue, input, ctx),

    /** Workers take nothing more of the queue. What runs goes on. A queue that has no jobs yet can be paused. */
    pause: (ctx: Context, queue: string): Promise<void> => setPaused(ctx, queue, ctx.now),
    resume: (ctx: Context, queue: string): Promise<void> => setPaused(ctx, queue, null),

    /** Cancels what is not running of the queue. */
    async drain(ctx: Context, queue: string): Promise<Affected> {
      const answer = (jobs: number): Affected => ({ jobs, more: jobs === DRAINED });
      const [, ended] = await db.atomic((tx) => [
        audit(tx, ctx, { action: "queue.drain", entity: queueEntity(queue) }),
        drainQueue(tx, db.dialect, queue, ctx.now, "An operator drained its queue.", DRAINED),
        keepCount({ db, tx }, ctx, answer, DRAINED),
      ]);
      await tellCancelled(ctx, ended);
      return answer(ended.length);
    },
  };
}

/** What an audit entry keeps: never a payload. */
function changed(before: Job, after: Job) {
  const told = ({ state, attempt, maxAttempts, name, queue }: Job) => ({ state, attempt, maxAttempts, name, queue });
  return { before: told(before), after: told(after) };
}
