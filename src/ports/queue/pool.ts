/** The jobs that one process holds: those that run, and those that were claimed a little ahead. */
import { type Clock, fromInstant, toInstant } from "../../core/clock.ts";
import type { Ahead } from "./ahead.ts";
import type { Slot } from "./claiming.ts";
import type { JobHandler } from "./define.ts";
import type { EventSource } from "./events.ts";
import { givenBack, toSettlement } from "./outcomes.ts";
import { encode } from "./payload.ts";
import type { ClaimedJob } from "./port.ts";
import type { Run, Runner, Stop } from "./runner.ts";
import type { Settler } from "./settler.ts";
import { createTurn } from "./turn.ts";

interface Entry {
  job: ClaimedJob;
  workerId: string;
  /** How many had been taken by then. */
  place: number;
  handler: JobHandler;
}

export interface Ending {
  job: ClaimedJob;
  startedAt: number;
  endedAt: number;
}

interface PoolOptions {
  handlers: ReadonlyMap<string, JobHandler>;
  concurrency: number;
  ahead: Ahead;
  runner: Runner;
  settler: Settler;
  events: EventSource;
  clock: Clock;
  /** Told whenever a place has become free. */
  onFree(): void;
}

export function createPool({ handlers, concurrency, ahead, runner, settler, events, clock, onFree }: PoolOptions) {
  const runs = new Map<string, { run: Run; workerId: string; place: number }>();
  let places = 0;
  const running = new Map<string, number>();
  /** Held by name, whether it runs or not. */
  const taken = new Map<string, number>();
  let ready: Entry[] = [];
  let first = 0;
  /** Those of types that have a bound of their own, which is reached. */
  const parked = new Map<string, Entry[]>();
  /** Those that were parked, and may go on. */
  const resumed: Entry[] = [];
  let pumping = false;
  const turn = createTurn(() => pump());
  const waiters = new Map<string, () => void>();
  /** Those whose outcome is on its way into the record. */
  const ending = new Map<string, Ending>();
  let idle: (() => void)[] = [];

  const count = (map: Map<string, number>, name: string, by: number) => map.set(name, (map.get(name) ?? 0) + by);
  const waiting = () => {
    let n = ready.length - first + resumed.length;
    for (const list of parked.values()) n += list.length;
    return n;
  };
  const held = () => runs.size + waiting();
  const isIdle = () => held() === 0;
  const fits = ({ type }: JobHandler) =>
    type.concurrency === undefined || (running.get(type.name) ?? 0) < type.concurrency;
  const about = (job: ClaimedJob) => ({
    id: job.id,
    name: job.name,
    queue: job.queue,
    attempt: job.attempt,
    at: toInstant(clock.now()),
  });

  function next(): Entry | undefined {
    while (resumed.length > 0 || first < ready.length) {
      const entry = resumed.shift() ?? (ready[first++] as Entry);
      if (first > 1000) {
        ready = ready.slice(first);
        first = 0;
      }
      if (fits(entry.handler)) return entry;
      const list = parked.get(entry.job.name);
      if (list) list.push(entry);
      else parked.set(entry.job.name, [entry]);
    }
    return undefined;
  }

  function unpark(name: string) {
    const list = parked.get(name);
    if (!list) return;
    const entry = list.shift();
    if (list.length === 0) parked.delete(name);
    if (entry) resumed.push(entry);
  }

  /** A job that ends at once is one round of this loop: none begins within another. */
  function pump() {
    if (pumping) return;
    pumping = true;
    try {
      while (runs.size < concurrency && !turn.isOver()) {
        const entry = next();
        if (!entry) return;
        turn.count();
        begin(entry);
      }
    } finally {
      pumping = false;
    }
  }

  function begin({ handler, job, workerId, place }: Entry) {
    const startedAt = clock.now();
    const since = performance.now();
    count(running, job.name, 1);
    if (events.hears("started"))
      events.emit({ kind: "started", waitMs: Math.max(0, startedAt - fromInstant(job.runAt)), ...about(job) });
    let mine: { run: Run; workerId: string; place: number } | null = null;
    let isOver = false;
    const run = runner(handler, job, {
      onProgress(value) {
        if ("fault" in encode(value)) return;
        settler.progress(workerId, job.id, job.attempt, value);
        if (events.hears("progress")) events.emit({ kind: "progress", value, ...about(job) });
      },
      onEnd(outcome) {
        isOver = true;
        ahead.ran(performance.now() - since);
        if (mine && runs.get(job.id) === mine) runs.delete(job.id);
        count(running, job.name, -1);
        count(taken, job.name, -1);
        if (outcome) {
          ending.set(job.id, { job, startedAt, endedAt: clock.now() });
          settler.add(toSettlement(outcome, workerId));
        } else {
          answered(job.id);
        }
        if (parked.size > 0) unpark(job.name);
        pump();
        onFree();
        if (idle.length > 0 && isIdle()) {
          for (const resolve of idle) resolve();
          idle = [];
        }
      },
    });
    if (isOver) return;
    mine = { run, workerId, place };
    runs.set(job.id, mine);
  }

  function answered(id: string) {
    const waiter = waiters.get(id);
    if (!waiter) return;
    waiters.delete(id);
    waiter();
  }

  function giveUp(entries: Entry[], give: boolean) {
    for (const { job, workerId } of entries) {
      count(taken, job.name, -1);
      if (give) settler.add(givenBack(job, workerId));
      answered(job.id);
    }
  }

  function withoutWaiting(which: (entry: Entry) => boolean): Entry[] {
    const out: Entry[] = [];
    const keep = (entry: Entry) => {
      if (which(entry)) out.push(entry);
      else return true;
      return false;
    };
    ready = [...resumed.splice(0), ...ready.slice(first)].filter(keep);
    first = 0;
    for (const [name, list] of parked) {
      const kept = list.filter(keep);
      if (kept.length > 0) parked.set(name, kept);
      else parked.delete(name);
    }
    return out;
  }

  return {
    held,
    waiting,
    /** What may be claimed of each type, with so many ahead of what can start. */
    slots(most: number): Slot[] {
      const slots: Slot[] = [];
      for (const { type } of handlers.values()) {
        const own = Math.min(type.concurrency ?? concurrency, concurrency);
        // One that may be tried only once is not taken before it can start: should this process die, it would never have run.
        const spare = type.retry.attempts > 1 && !type.group ? most : 0;
        const free = own + spare - (taken.get(type.name) ?? 0);
        if (free <= 0) continue;
        const perGroup = type.group?.concurrency ?? null;
        slots.push({ name: type.name, queue: type.queue, version: type.version, free, perGroup });
      }
      return slots;
    },
    /** Takes a claimed job; it runs when there is room. */
    take(job: ClaimedJob, workerId: string): void {
      const handler = handlers.get(job.name);
      if (!handler) throw new Error(`${job.name} was claimed, and has no handler`);
      count(taken, job.name, 1);
      ready.push({ job, workerId, handler, place: ++places });
    },
    pump,
    holds: (id: string): boolean =>
      runs.has(id) ||
      ending.has(id) ||
      ready.some(({ job }, i) => i >= first && job.id === id) ||
      resumed.some(({ job }) => job.id === id) ||
      [...parked.values()].some((list) => list.some(({ job }) => job.id === id)),
    /** What was recorded of a job; undefined for one that did not run here. */
    recorded(id: string): Ending | undefined {
      const entry = ending.get(id);
      ending.delete(id);
      answered(id);
      return entry;
    },
    /** When the job has ended and that is recorded, or when it was taken away. */
    ended: (id: string) => new Promise<void>((resolve) => waiters.set(id, resolve)),
    /** Stops the run of this id; whether there is one. */
    stop(id: string, why: Stop): boolean {
      const entry = runs.get(id);
      if (!entry) return false;
      entry.run.stop(why);
      if (why === "cancelled") events.emit({ kind: "cancelled", ...about(entry.run.job) });
      return true;
    },
    /** How many were ever taken. */
    taken: (): number => places,
    /**
     * Stops what this worker no longer has, by what the record says it has: an attempt by id; null: nothing. The record was asked when
     * `upTo` had been taken: of later ones it could not know.
     */
    keepOnly(workerId: string, kept: ReadonlyMap<string, number> | null, upTo: number): void {
      const isLost = (entry: { workerId: string; place: number }, job: ClaimedJob) =>
        entry.workerId === workerId && (kept === null || (entry.place <= upTo && kept.get(job.id) !== job.attempt));
      for (const entry of runs.values()) {
        if (!isLost(entry, entry.run.job)) continue;
        // Without a lease all is lost; with one, somebody has ended this job.
        entry.run.stop(kept ? "cancelled" : "lost");
        if (kept) events.emit({ kind: "cancelled", ...about(entry.run.job) });
      }
      giveUp(
        withoutWaiting((entry) => isLost(entry, entry.job)),
        false,
      );
    },
    /** Gives back what has not begun. */
    clear(): void {
      giveUp(
        withoutWaiting(() => true),
        true,
      );
    },
    stopAll(why: Stop): void {
      for (const { run } of runs.values()) run.stop(why);
    },
    async idle(): Promise<void> {
      if (held() > 0) await new Promise<void>((resolve) => idle.push(resolve));
    },
  };
}
