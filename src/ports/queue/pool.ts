/** The jobs that one process holds: those that run, and those that were claimed a little ahead. */
import { type Clock, fromInstant, toInstant, unref } from "../../core/clock.ts";
import { createCapacity } from "./capacity.ts";
import type { JobHandler } from "./define.ts";
import type { EventSource } from "./events.ts";
import { createLine, type Entry } from "./line.ts";
import { unended } from "./outcome.ts";
import type { ClaimedJob } from "./port.ts";
import { HELD_MS, type Prefetch } from "./prefetch.ts";
import type { Run, Runner, Stop } from "./runner.ts";
import type { Settler } from "./settler.ts";
import { createTurn } from "./turn.ts";

export interface Ending {
  job: ClaimedJob;
  startedAt: number;
  endedAt: number;
}

interface Running {
  run: Run;
  workerId: string;
  /** How many had been taken by then. */
  nth: number;
  /** When it began, by `performance.now()`. */
  since: number;
}

interface PoolOptions {
  handlers: ReadonlyMap<string, JobHandler>;
  concurrency: number;
  prefetch: Prefetch;
  runner: Runner;
  settler: Settler;
  events: EventSource;
  clock: Clock;
  /** Told whenever a place has become free. */
  onFree(): void;
}

export function createPool({ handlers, concurrency, prefetch, runner, settler, events, clock, onFree }: PoolOptions) {
  const runs = new Map<string, Running>();
  let taken = 0;
  let timer: ReturnType<typeof setTimeout> | null = null;
  const capacity = createCapacity({ handlers, concurrency, prefetch });
  const line = createLine(({ type }) => capacity.fits(type));
  let pumping = false;
  const turn = createTurn(() => pump());
  const waiters = new Map<string, () => void>();
  /** Those whose outcome is on its way into the record. */
  const ending = new Map<string, Ending>();
  let idle: (() => void)[] = [];

  const about = (job: ClaimedJob) => ({
    id: job.id,
    name: job.name,
    queue: job.queue,
    attempt: job.attempt,
    at: toInstant(clock.now()),
  });

  /** A job that ends at once is one round of this loop: none begins within another. */
  function pump() {
    if (pumping) return;
    pumping = true;
    try {
      while (runs.size < concurrency && !turn.isOver()) {
        const entry = line.next();
        if (!entry) return;
        turn.count();
        begin(entry);
      }
    } finally {
      pumping = false;
    }
  }

  function begin(entry: Entry) {
    const { handler, job, workerId, nth } = entry;
    const startedAt = clock.now();
    if (job.deadlineAt !== null && fromInstant(job.deadlineAt) <= startedAt) {
      // It ends as one that nobody claimed: whoever looks for the late ones finds it waiting.
      giveUp([entry], true);
      return;
    }
    const since = performance.now();
    capacity.began(job.name);
    if (events.hears("started"))
      events.emit({ kind: "started", waitMs: Math.max(0, startedAt - fromInstant(job.runAt)), ...about(job) });
    let mine: Running | null = null;
    let isOver = false;
    const run = runner(handler, job, {
      onProgress(value) {
        settler.progress(workerId, job.id, job.attempt, value);
        if (events.hears("progress")) events.emit({ kind: "progress", value, ...about(job) });
      },
      onEnd(outcome) {
        isOver = true;
        prefetch.ran(job.name, performance.now() - since);
        if (mine && runs.get(job.id) === mine) runs.delete(job.id);
        capacity.ended(job.name);
        capacity.release(job.name);
        if (outcome) {
          ending.set(job.id, { job, startedAt, endedAt: clock.now() });
          settler.add({ ...outcome, workerId });
        } else {
          answered(job.id);
        }
        line.unpark(job.name);
        pump();
        freed();
      },
    });
    if (isOver) return;
    mine = { run, workerId, nth, since };
    runs.set(job.id, mine);
  }

  function freed() {
    onFree();
    if (idle.length === 0 || capacity.all() > 0) return;
    for (const resolve of idle) resolve();
    idle = [];
  }

  function answered(id: string) {
    const waiter = waiters.get(id);
    if (!waiter) return;
    waiters.delete(id);
    waiter();
  }

  function giveUp(entries: Entry[], give: boolean) {
    for (const { job, workerId } of entries) {
      capacity.release(job.name);
      if (give) settler.add({ ...unended(job), workerId });
      answered(job.id);
    }
    if (entries.length > 0) freed();
  }

  function cancelRun({ stop, job }: Run) {
    stop("cancelled");
    events.emit({ kind: "cancelled", counted: true, ...about(job) });
  }

  function cancelWaiting(which: (entry: Entry) => boolean): void {
    const gone = line.without(which);
    giveUp(gone, false);
    for (const { job } of gone) events.emit({ kind: "cancelled", counted: true, ...about(job) });
  }

  /** What was claimed ahead, and cannot start because others take longer than theirs did, may start elsewhere. What a carrier brought stays. */
  function look() {
    timer = null;
    const now = performance.now();
    for (const { run, since } of runs.values()) if (now - since > HELD_MS) prefetch.runs(run.job.name, now - since);
    giveUp(
      line.without(({ job, at }) => now - at > HELD_MS && !waiters.has(job.id)),
      true,
    );
    if (line.size() > 0) lookLater();
  }
  function lookLater() {
    timer ??= unref(setTimeout(look, HELD_MS / 2));
  }

  return {
    hasRoom: capacity.hasRoom,
    isLow: (): boolean => capacity.isLow(line.size()),
    room: capacity.room,
    /** Takes a claimed job; it runs when there is room. */
    take(job: ClaimedJob, workerId: string): void {
      const handler = handlers.get(job.name);
      if (!handler) throw new Error(`${job.name} was claimed, and has no handler`);
      capacity.hold(job.name);
      line.add({ job, workerId, handler, nth: ++taken, at: performance.now() });
      lookLater();
    },
    pump,
    holds: (id: string): boolean => runs.has(id) || ending.has(id) || line.has(id),
    /** What was recorded of a job; undefined for one that did not run here. */
    recorded(id: string): Ending | undefined {
      const entry = ending.get(id);
      ending.delete(id);
      answered(id);
      return entry;
    },
    /** When the job has ended and that is recorded, or when it was taken away. */
    ended: (id: string) => new Promise<void>((resolve) => waiters.set(id, resolve)),
    /** Ends the job of this id if it is held, whether it has begun or not. */
    cancel(id: string): void {
      const entry = runs.get(id);
      if (entry) cancelRun(entry.run);
      else cancelWaiting(({ job }) => job.id === id);
    },
    /** How many were ever taken. */
    taken: (): number => taken,
    /**
     * Stops what this worker no longer has, by what the record says it has: an attempt by id; null: nothing. The record was asked when
     * `upTo` had been taken: of later ones it could not know.
     */
    keepOnly(workerId: string, kept: ReadonlyMap<string, number> | null, upTo: number): void {
      const isLost = (entry: { workerId: string; nth: number }, job: ClaimedJob) =>
        entry.workerId === workerId && (kept === null || (entry.nth <= upTo && kept.get(job.id) !== job.attempt));
      for (const entry of runs.values()) {
        if (!isLost(entry, entry.run.job)) continue;
        // Without a lease all is lost; with one, somebody has ended this job.
        if (kept) cancelRun(entry.run);
        else entry.run.stop("lost");
      }
      const isGone = (entry: Entry) => isLost(entry, entry.job);
      if (kept) cancelWaiting(isGone);
      else giveUp(line.without(isGone), false);
    },
    /** Gives back what has not begun. */
    clear(): void {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      giveUp(
        line.without(() => true),
        true,
      );
    },
    stopAll(why: Stop): void {
      for (const { run } of runs.values()) run.stop(why);
    },
    async idle(): Promise<void> {
      if (capacity.all() > 0) await new Promise<void>((resolve) => idle.push(resolve));
    },
  };
}
