/** Jobs that run as soon as they are committed, for tests of what enqueues them. */
import { type Clock, systemClock, toInstant } from "../../src/core/clock.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import type { JobHandler } from "../../src/ports/queue/define.ts";
import { createJobEvents } from "../../src/ports/queue/events.ts";
import { inlineDispatch, runInline } from "../../src/ports/queue/inline.ts";
import type { Cause } from "../../src/ports/queue/port.ts";
import { createQueue } from "../../src/ports/queue/queue.ts";
import { createJobStore } from "../../src/ports/queue/store.ts";
import { createWorker } from "../../src/ports/queue/worker.ts";

export function openJobs(db: Db, handlers: readonly JobHandler[], clock: Clock = systemClock) {
  const log = createConsoleLog({ level: "error" });
  const events = createJobEvents({ log });
  const store = createJobStore(db);
  const worker = createWorker({ store, handlers, dispatch: inlineDispatch, events, clock, log, concurrency: 10 });
  const inline = runInline(db, worker);
  const now = () => toInstant(clock.now());
  return {
    queue: createQueue({ db, clock }),
    events,
    by: (): Cause => ({ actor: { type: "system", id: "test" }, requestId: null, traceId: null, now: now() }),
    /** When every job that is due has ended, and those too that were enqueued by jobs. */
    settled: inline.settled,
    async done(): Promise<void> {
      inline.stop();
      await worker.stop(0);
    },
  };
}
