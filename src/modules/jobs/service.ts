/** Operating jobs. What the verbs do to them is one statement each (ports/queue/operate.ts), which commits with its audit entry. */
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
import { cancelJob, createJobReads, purgeJobs, retryJobs } from "../../ports/queue/operate.ts";
import { cancelMessage, JOBS_TOPIC, type Job, WAKE } from "../../ports/queue/port.ts";
import { reopen } from "../../ports/schedule/runs.ts";
import { audit } from "../audit/statement.ts";
import { keep, keepCount } from "../idempotency/store.ts";
import { tellCancelled } from "./cancelled.ts";
import { jobPages, type ListedJob, listedColumns } from "./list.ts";
import { redactJob } from "./redact.ts";
import type { AffectedJobs, DeadJobsRetry, JobsPurge } from "./schema.ts";

export interface JobsDeps {
  db: Db;
  /** By it whoever runs a job learns at once that it was cancelled. */
  bus: Bus;
}

export type Jobs = ReturnType<typeof createJobs>;

const ENDED = new Set(["done", "failed", "cancelled"]);
const entity = (id: string) => ({ type: "Job", id });

export function createJobs({ db, bus }: JobsDeps) {
  const reads = createJobReads(db);
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

  /** A change by a command is no commit that a worker's process hears of. */
  const wake = () => bus.publish(JOBS_TOPIC, WAKE);

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
      await tellCancelled({ db, bus }, ctx.now, ended);
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
    ): Promise<AffectedJobs> {
      const ids = await reads.dead(name, diedBy, limit);
      if (ids.length === 0) return { jobs: 0, more: false };
      const answer = (jobs: number): AffectedJobs => ({ jobs, more: ids.length === limit });
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
    async purge(ctx: Context, { state, olderThanS, limit }: JobsPurge): Promise<AffectedJobs> {
      const before = addMs(ctx.now, -olderThanS * 1000);
      const answer = (jobs: number): AffectedJobs => ({ jobs, more: jobs === limit });
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
  };
}

/** What an audit entry keeps: never a payload. */
function changed(before: Job, after: Job) {
  const told = ({ state, attempt, maxAttempts, name, queue }: Job) => ({ state, attempt, maxAttempts, name, queue });
  return { before: told(before), after: told(after) };
}
