/** A started worker by the real clock, on a database in the process. */
import { z } from "zod";
import { systemClock } from "../../src/core/clock.ts";
import { createMemoryBus } from "../../src/ports/bus/memory.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { databaseDispatch } from "../../src/ports/queue/database.ts";
import { defineJob, handle, type JobHandler } from "../../src/ports/queue/define.ts";
import { createJobEvents, type EventSource } from "../../src/ports/queue/events.ts";
import { createJobReads } from "../../src/ports/queue/operate.ts";
import type { JobEvent } from "../../src/ports/queue/port.ts";
import { createQueue } from "../../src/ports/queue/queue.ts";
import { createJobStore, type JobStore } from "../../src/ports/queue/store.ts";
import { connect } from "../../src/ports/queue/wake.ts";
import { createWorker, type WorkerOptions } from "../../src/ports/queue/worker.ts";
import { type Opened, openSqlite } from "../helpers/databases.ts";

export const ends: (() => Promise<void> | void)[] = [];
/** To be called after each test. */
export async function endAll(): Promise<void> {
  for (const end of ends.splice(0).reverse()) await end();
}

export const job = defineJob({ name: "loop.work", input: z.looseObject({}) });
export const by = () => ({
  actor: { type: "system" as const, id: "test" },
  requestId: null,
  traceId: null,
  now: new Date().toISOString(),
});

export async function setUp(
  options: { wakes?: "bus" | false; handlers?: JobHandler[]; store?: (store: JobStore) => JobStore } & Partial<
    Pick<WorkerOptions, "concurrency" | "dispatch">
  > = {},
) {
  const opened: Opened = await openSqlite("memory", openBunSqlite);
  ends.push(() => opened.done());
  const { db } = opened;
  const lines: { level: string; msg: string }[] = [];
  const log = createConsoleLog({ level: "info", print: (line) => lines.push(JSON.parse(line)) });
  const events = createJobEvents({ log });
  const plain = createJobStore(db);
  const store = options.store?.(plain) ?? plain;
  const ran: { input: unknown; at: number }[] = [];
  const handlers = options.handlers ?? [handle(job, (input) => void ran.push({ input, at: performance.now() }))];
  const worker = createWorker({
    store,
    handlers,
    dispatch: databaseDispatch,
    events,
    clock: systemClock,
    log,
    concurrency: options.concurrency ?? 4,
    onSurplus: () => wakes?.others(),
  });
  ends.push(() => worker.stop(0));
  const bus = createMemoryBus({ log });
  // As of another process, whose commits are not heard here.
  const heard = options.wakes === "bus" ? { ...db, committed: () => () => {} } : db;
  const wakes = options.wakes === false ? null : connect({ db: heard, bus, worker, relay: null });
  if (wakes) ends.push(() => wakes.close());
  return {
    db,
    bus,
    log,
    lines,
    events,
    worker,
    ran,
    queue: createQueue({ db, clock: systemClock }),
    reads: createJobReads(db),
  };
}

export const next = <K extends JobEvent["kind"]>(events: EventSource, kind: K) =>
  new Promise<JobEvent>((resolve) => {
    const stop = events.onJobEvent((event) => {
      if (event.kind !== kind) return;
      stop();
      resolve(event);
    });
  });

export const leases = (db: Db) => {
  const { jobWorkers } = db.tables;
  return db.all(db.prepare((q) => q.select({ id: jobWorkers.id }).from(jobWorkers))(), { fresh: true });
};

/** Long enough for the loop to have looked and to rest. */
export const rested = () => Bun.sleep(50);

/** So many inputs of nothing. */
export const empty = (count: number) => Array.from({ length: count }, () => ({}));

/** A store as of a database that is not in the process. It notes how many of each type were asked for at most. */
export const distant =
  (asked = new Map<string, number>()) =>
  (store: JobStore): JobStore => ({
    ...store,
    async claim(slots, options) {
      for (const { name, free } of slots) asked.set(name, Math.max(asked.get(name) ?? 0, free));
      await Bun.sleep(3);
      return store.claim(slots, options);
    },
  });
