/** What the cases of the queue contract are written in. The clock stands still unless a case moves it. */
import assert from "node:assert/strict";
import { z } from "zod";
import { toInstant } from "../../src/core/clock.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { createMemoryLimits } from "../../src/ports/limits/memory.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { defineJob, type JobHandler } from "../../src/ports/queue/define.ts";
import { createJobEvents } from "../../src/ports/queue/events.ts";
import { createJobReads } from "../../src/ports/queue/operate.ts";
import type { Cause, Dispatch, Job, JobEvent } from "../../src/ports/queue/port.ts";
import { createQueue } from "../../src/ports/queue/queue.ts";
import { createJobStore, type JobStore } from "../../src/ports/queue/store.ts";
import { createWorker, type Worker, type WorkerOptions } from "../../src/ports/queue/worker.ts";
import { type MovingClock, movingClock } from "./limits.ts";

export interface QueueWorld {
  db: Db;
  dispatch: Dispatch;
  clock: MovingClock;
  store: JobStore;
  queue: ReturnType<typeof createQueue>;
  reads: ReturnType<typeof createJobReads>;
  events: JobEvent[];
  by(): Cause;
  now(): string;
  worker(handlers: JobHandler[], options?: Partial<WorkerOptions>): Worker;
  job(id: string | null): Promise<Job>;
  end(): Promise<void>;
}

export interface QueueCase {
  name: string;
  run(world: QueueWorld): Promise<void>;
}

export function queueWorld(db: Db, dispatch: Dispatch): QueueWorld {
  const clock = movingClock();
  const log = createConsoleLog({ level: "silent", print: () => {} });
  const store = createJobStore(db);
  const reads = createJobReads(db);
  const source = createJobEvents({ log });
  const events: JobEvent[] = [];
  source.onJobEvent((event) => events.push(event));
  const workers: Worker[] = [];
  const now = () => toInstant(clock.now());
  return {
    db,
    dispatch,
    clock,
    store,
    reads,
    events,
    now,
    queue: createQueue({ db, clock }),
    by: () => ({
      actor: { type: "user", id: "user_1", role: "user", sessionId: null },
      requestId: "r1",
      traceId: "t1",
      now: now(),
    }),
    worker(handlers, options = {}) {
      const limits = createMemoryLimits({ clock });
      const random = () => 1;
      const made = createWorker({
        store,
        handlers,
        dispatch,
        events: source,
        clock,
        log,
        concurrency: 10,
        limits,
        random,
        ...options,
      });
      workers.push(made);
      return made;
    },
    async job(id) {
      const job = await reads.find(id ?? "");
      assert.ok(job, `there is no job ${id}`);
      return job;
    },
    async end() {
      for (const worker of workers) await worker.stop(0);
    },
  };
}

let names = 0;
/** A name that no other case uses, nor another run on the same database. */
export const newName = () => `case.${Date.now().toString(36)}.${names++}`;
export const anything = z.looseObject({});
export const type = (spec: Partial<Parameters<typeof defineJob<typeof anything>>[0]> = {}) =>
  defineJob({ name: newName(), input: anything, ...spec });
export const gate = () => {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
};
export const kinds = (events: JobEvent[]) => events.map(({ kind }) => kind);
