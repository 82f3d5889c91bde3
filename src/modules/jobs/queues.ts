/** Operating queues: how they are, and what is done to all of one. */
import type { ListInput, Page } from "../../core/page.ts";
import type { Context } from "../../policy/context.ts";
import { may } from "../../policy/may.ts";
import { oldestWaiting } from "../../ports/queue/lag.ts";
import { minutesAgo } from "../../ports/queue/minutes.ts";
import { createJobReads, drainQueue, pauseQueue } from "../../ports/queue/operate.ts";
import { JOBS_TOPIC, WAKE } from "../../ports/queue/port.ts";
import { audit } from "../audit/statement.ts";
import { keep, keepCount } from "../idempotency/store.ts";
import { tellCancelled } from "./cancelled.ts";
import { addUp, type Rates, ratesOf } from "./rates.ts";
import type { AffectedJobs } from "./schema.ts";
import type { JobsDeps } from "./service.ts";
import { createJobsStore, type QueueMinute } from "./store.ts";

export type Queues = ReturnType<typeof createQueues>;

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
const entity = (id: string) => ({ type: "Queue", id });

export function createQueues({ db, bus }: JobsDeps) {
  const reads = createJobReads(db);
  const store = createJobsStore(db);

  async function setPaused(ctx: Context, queue: string, pausedAt: string | null): Promise<void> {
    const before = (await reads.paused()).find((known) => known.queue === queue)?.pausedAt ?? null;
    if ((before === null) === (pausedAt === null)) return;
    await db.atomic((tx) => [
      audit(tx, ctx, {
        action: pausedAt === null ? "queue.resume" : "queue.pause",
        entity: entity(queue),
        before: { pausedAt: before },
        after: { pausedAt },
      }),
      pauseQueue(tx, queue, ctx.now, pausedAt),
      keep(tx, ctx, undefined),
    ]);
    // No commit of jobs, so nobody else wakes the workers.
    if (pausedAt === null) bus.publish(JOBS_TOPIC, WAKE);
  }

  return {
    async list(ctx: Context): Promise<QueueState[]> {
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
    async drain(ctx: Context, queue: string): Promise<AffectedJobs> {
      const answer = (jobs: number): AffectedJobs => ({ jobs, more: jobs === DRAINED });
      const [, ended] = await db.atomic((tx) => [
        audit(tx, ctx, { action: "queue.drain", entity: entity(queue) }),
        drainQueue(tx, db.dialect, queue, ctx.now, "An operator drained its queue.", DRAINED),
        keepCount({ db, tx }, ctx, answer, DRAINED),
      ]);
      await tellCancelled({ db, bus }, ctx.now, ended);
      return answer(ended.length);
    },
  };
}
