/**
 * Jobs on Workers, where nothing lives between invocations. Each invocation that runs jobs is a worker of its own, with a lease that it gives
 * up at its end, and takes no longer, and asks no more of D1, than the platform lets it:
 *
 * - a request that has enqueued (`watched`): after its answer ids go to the queue; where there is none, the jobs run right there;
 * - the queue (`deliver`): the jobs of a batch run;
 * - the cron trigger, each minute (`drain`): what has become due by time, what others left behind, what the queue did not take.
 *
 * So a delayed job, and an isolate that died, are noticed within a minute.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { type Clock, fromInstant, type Instant, toInstant } from "../core/clock.ts";
import type { Db } from "../ports/db/port.ts";
import type { Limits } from "../ports/limits/port.ts";
import type { Log } from "../ports/log/port.ts";
import type { QueueBatch } from "../ports/queue/cloudflare.ts";
import { databaseDispatch } from "../ports/queue/database.ts";
import type { JobHandler } from "../ports/queue/define.ts";
import { createJobEvents, type EventSource } from "../ports/queue/events.ts";
import { createJobMinutes } from "../ports/queue/minutes.ts";
import type { Dispatch } from "../ports/queue/port.ts";
import { createRelay, isCarried } from "../ports/queue/relay.ts";
import type { JobStore } from "../ports/queue/store.ts";
import { createWorker, type Worker } from "../ports/queue/worker.ts";

interface WorkerJobsOptions {
  db: Db;
  store: JobStore;
  handlers: readonly JobHandler[];
  dispatch: Dispatch;
  events: EventSource;
  clock: Clock;
  log: Log;
  limits: Limits;
  concurrency: number;
  /** Whether the current invocation has asked so much of the database that it should begin nothing more. */
  isSpent(): boolean;
  /** Work of the current invocation that goes on after its answer. */
  background(work: Promise<unknown>): void;
  /** How long jobs may run after a request that has enqueued them. Default: 25 s. */
  afterRequestMs?: number;
}

export type WorkerJobs = ReturnType<typeof createWorkerJobs>;

/** The platform ends a request 30 s after its answer. */
const AFTER_REQUEST_MS = 25_000;
/** The cron trigger and the queue's consumer may take 15 minutes. */
const APART_MS = 14 * 60_000;
const PROMOTED = 1000;
/** The longest that the queue keeps a message back. */
const LONGEST_DELAY_S = 43_200;
/** While the database does not answer. */
const AWAY_S = 10;

interface Seen {
  /** Names of jobs that did not end in time and were given back. */
  unended: Set<string>;
  /** When jobs that failed are tried again, by id. */
  again: Map<string, Instant>;
}

export function createWorkerJobs(options: WorkerJobsOptions) {
  const { db, store, handlers, dispatch, events, clock, log, isSpent, background } = options;
  const { afterRequestMs = AFTER_REQUEST_MS } = options;
  const { carrier } = dispatch;
  const isAllCarried = carrier !== null && handlers.every(({ type }) => isCarried(type));
  const marks = new AsyncLocalStorage<{ enqueued: boolean }>();
  /** Names whose jobs take longer than there is after a request: one would be begun there again and again. The cron trigger has them. */
  const slow = new Set<string>();

  db.committed((tables) => {
    const mark = marks.getStore();
    if (mark && tables.includes("jobs")) mark.enqueued = true;
  });

  /** Nothing that waits may be shared between invocations, so each has a worker that is made for it. */
  async function inWorker(
    { ms, ...own }: { ms: number } & Pick<WorkerJobsOptions, "dispatch" | "handlers">,
    work: (worker: Worker, mayBegin: () => boolean) => Promise<void>,
  ): Promise<Seen> {
    const heard = createJobEvents({ log });
    const running = new Map<string, string>();
    const again: Seen["again"] = new Map();
    heard.onJobEvent((event) => {
      if (event.kind === "started") running.set(event.id, event.name);
      else if (event.kind !== "progress") running.delete(event.id);
      if (event.kind === "retried") again.set(event.id, event.runAt);
      events.emit(event);
    });
    const minutes = createJobMinutes({ db, events: heard, log });
    const worker = createWorker({ ...options, ...own, events: heard });
    const since = performance.now();
    // What is begun in the second half might be cut short, and run again.
    const mayBegin = () => performance.now() - since < ms / 2 && !isSpent();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    try {
      await Promise.race([work(worker, mayBegin), late]);
      return { unended: new Set(running.values()), again };
    } finally {
      clearTimeout(timer);
      await worker.stop(0);
      await minutes.close();
    }
  }

  async function run(worker: Worker, mayBegin: () => boolean): Promise<void> {
    while ((await worker.runOnce()) > 0 && mayBegin());
  }

  async function handOver(): Promise<void> {
    if (isAllCarried) {
      const types = handlers.map(({ type }) => type);
      await createRelay({ store, carrier, clock, log, types }).runOnce();
      return;
    }
    const quick = handlers.filter(({ type }) => !slow.has(type.name));
    const { unended } = await inWorker({ ms: afterRequestMs, dispatch, handlers: quick }, run);
    for (const name of unended) slow.add(name);
  }

  const handOverLater = () =>
    handOver().catch((err) => log.warn({ err }, "jobs could not be handed over: the cron trigger does it"));

  return {
    /** Runs the work of a request, and looks after what it has enqueued. */
    async watched<T>(work: () => T | Promise<T>): Promise<T> {
      const mark = { enqueued: false };
      try {
        return await marks.run(mark, work);
      } finally {
        if (mark.enqueued) background(handOverLater());
      }
    },

    /** Runs the jobs whose ids the queue has brought, and tells it when those that failed are to come again. */
    async deliver({ messages }: QueueBatch): Promise<void> {
      const ids = messages.flatMap(({ body }) => (typeof body === "string" ? [body] : []));
      const mark = { enqueued: false };
      try {
        // Among them are those that come again, which are due by now.
        const { promoted } = await store.promote(toInstant(clock.now()), PROMOTED);
        const bring = (worker: Worker) => worker.consumer.deliver(ids);
        const { again } = await marks.run(mark, () => inWorker({ ms: APART_MS, dispatch, handlers }, bring));
        for (const message of messages) {
          const at = again.get(String(message.body));
          const delaySeconds = at === undefined ? null : Math.max(1, Math.ceil((fromInstant(at) - clock.now()) / 1000));
          if (delaySeconds === null || delaySeconds > LONGEST_DELAY_S) message.ack();
          else message.retry({ delaySeconds });
        }
        if (mark.enqueued || promoted > 0) await handOverLater();
      } catch (err) {
        log.warn({ err }, "jobs that the queue has brought could not be run: it brings them again");
        for (const message of messages) message.retry({ delaySeconds: AWAY_S });
      }
    },

    /** Runs what is due, or hands it to the queue; where that does not take it, it runs here. */
    async drain(): Promise<void> {
      const all = { ms: APART_MS, handlers };
      try {
        await inWorker({ ...all, dispatch }, run).catch((err) => {
          if (!carrier) throw err;
          log.warn({ err }, "the queue does not take the jobs: the cron trigger runs them");
          return inWorker({ ...all, dispatch: databaseDispatch }, run);
        });
      } catch (err) {
        log.warn({ err }, "due jobs could not be looked after");
      }
    },
  };
}
