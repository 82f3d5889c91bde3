/** Every job that this service knows, and what runs them. When they run by themselves: schedules.ts. */
import type { Deps } from "./deps.ts";
import { auditJobs } from "./modules/audit/jobs.ts";
import { authJobs } from "./modules/auth/jobs.ts";
import { idempotencyJobs } from "./modules/idempotency/jobs.ts";
import { createAlertRules } from "./modules/jobs/alert-rules.ts";
import { type AlertWatch, createAlertWatch } from "./modules/jobs/alerts.ts";
import { jobsJobs } from "./modules/jobs/jobs.ts";
import { limitJobs } from "./modules/limits/jobs.ts";
import { scheduleJobs } from "./modules/schedules/jobs.ts";
import type { Db } from "./ports/db/port.ts";
import type { JobHandler } from "./ports/queue/define.ts";
import { createJobEvents } from "./ports/queue/events.ts";
import { createJobMinutes } from "./ports/queue/minutes.ts";
import { publishJobNews } from "./ports/queue/news.ts";
import type { Dispatch } from "./ports/queue/port.ts";
import { createRelay } from "./ports/queue/relay.ts";
import { createJobStore, type JobStore } from "./ports/queue/store.ts";
import { connect } from "./ports/queue/wake.ts";
import { createWorker } from "./ports/queue/worker.ts";
import { startTimer, type Timer } from "./ports/schedule/timer.ts";

/** Throws when a schedule enqueues a job that is not among them. */
export function jobHandlers({ db, limits, scheduler, auditKeys, anchors }: Deps, store: JobStore): JobHandler[] {
  const handlers = [
    ...auditJobs({ db, auditKeys, anchors }),
    ...authJobs({ db }),
    ...idempotencyJobs({ db }),
    ...jobsJobs({ db, store }),
    ...limitJobs({ limits }),
    ...scheduleJobs(scheduler),
  ];

  const handled = new Set(handlers.map(({ type }) => type));
  for (const { name, job } of scheduler.known().values())
    if (!handled.has(job)) throw new Error(`The job of the schedule ${name}, ${job.name}, has no handler`);
  return handlers;
}

/**
 * Tells what the people who run the service have to know. Every process looks, also one that runs no jobs: where no worker is left, nobody else
 * could tell that. It is told once.
 */
export function alertWatch({ env, db, alerts, clock, log }: Deps, handlers: readonly JobHandler[]): AlertWatch {
  const names = handlers.map(({ type }) => type.name);
  return createAlertWatch({ db, alerts, clock, log, find: createAlertRules({ db, thresholds: env.alerts, names }) });
}

export type Work = ReturnType<typeof createWork>;

/** On Workers nothing lives between requests: runtimes/worker-jobs.ts stands for this there. */
export function createWork(deps: Deps, { dispatch, leases }: { dispatch: Dispatch; leases: Db }) {
  const { env, db, bus, clock, log, limits, scheduler } = deps;
  const store = createJobStore(db, leases);
  const events = createJobEvents({ log });
  const handlers = jobHandlers(deps, store);

  const { concurrency } = env.jobs;
  const options = { store, handlers, dispatch, events, clock, log, concurrency, limits };
  const worker = env.role === "api" ? null : createWorker({ ...options, onSurplus: () => wakes.others() });
  // Where no worker is, what is enqueued is still handed to the carrier at once.
  const { carrier } = dispatch;
  const types = handlers.map(({ type }) => type);
  const relay = worker === null && carrier ? createRelay({ store, carrier, clock, log, types }) : null;
  const wakes = connect({ db, bus, worker, relay });

  const minutes = createJobMinutes({ db, events, log });
  const news = publishJobNews({ events, bus });
  const watch = alertWatch(deps, handlers);

  let timer: Timer | null = null;

  return {
    async start(): Promise<void> {
      await worker?.start();
      if (worker) timer = startTimer(scheduler, log);
      watch.start();
    },
    /** Takes no more jobs, and gives back what does not end within the time. */
    async stop(graceMs: number): Promise<void> {
      wakes.close();
      // What the last jobs have counted is written whatever holds up the others.
      const counted = async () => {
        await worker?.stop(graceMs);
        news.close();
        await minutes.close();
      };
      await Promise.all([timer?.stop(), counted(), watch.stop()]);
      await carrier?.close();
    },
  };
}
