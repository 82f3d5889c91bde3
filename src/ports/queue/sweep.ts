/** What every worker does for all: lets due jobs wait, ends those that are late, and takes over from workers that died. */
import { addMs, type Clock, fromInstant, toInstant } from "../../core/clock.ts";
import type { Log } from "../log/port.ts";
import type { EventSource } from "./events.ts";
import { DEAD_MS } from "./lease.ts";
import { again, dead } from "./outcome.ts";
import type { Settlement } from "./port.ts";
import type { JobStore, Orphan } from "./store.ts";

interface SweepOptions {
  store: JobStore;
  clock: Clock;
  log: Log;
  events: EventSource;
  random: () => number;
  self(): string | null;
}

const BATCH = 1000;
/** How often the late and the dead are looked for. */
const LOOK_MS = 2500;
/** How often, while there is more to do than fits: a batch is ended, and jobs are claimed until the next. */
const BUSY_MS = 200;
/** The most batches where nothing is done between calls. */
const ROUNDS = 10;
/** Jobs of a worker that died come back one by one: beside one that kills its process the others would die with it each time. */
const SPREAD_MS = 500;
const MAX_SPREAD_MS = 30_000;

export function createSweep({ store, clock, log, events, random, self }: SweepOptions) {
  let looked = Number.NEGATIVE_INFINITY;
  let ticked = Number.NEGATIVE_INFINITY;
  /** Whether there may be more of the late and the dead than were looked at. */
  let more = false;
  const now = () => toInstant(clock.now());

  /** Answers in how many milliseconds there is something to claim, as far as time decides it. */
  async function promote(): Promise<number> {
    const { promoted, nextAt } = await store.promote(now(), BATCH);
    if (promoted > 0) return 0;
    return nextAt === null ? Number.POSITIVE_INFINITY : Math.max(0, fromInstant(nextAt) - clock.now());
  }

  async function late(): Promise<boolean> {
    const at = now();
    const ended = await store.expire(at, BATCH);
    for (const { id, name, queue, attempt, state, error } of ended) {
      const about = { id, name, queue, attempt, at };
      if (state === "failed" && error) events.emit({ kind: "dead", error, ...about });
      else events.emit({ kind: "cancelled", ...about });
    }
    return ended.length === BATCH;
  }

  async function orphans(): Promise<boolean> {
    const found = await store.orphans(self() ?? "", addMs(now(), -DEAD_MS), BATCH);
    if (found.length === 0) return false;
    const outcomes = found.map(outcomeOf);
    const accepted = await store.settle(outcomes, now());
    log.warn({ jobs: accepted.size }, "jobs of workers that died are given to others");
    for (const [i, { id, name, queue, attempt }] of found.entries()) {
      const outcome = outcomes[i] as Settlement;
      if (!accepted.has(id) || !outcome.error) continue;
      const about = { id, name, queue, attempt, at: now() };
      events.emit({ kind: "failed", error: outcome.error, runMs: 0, waitMs: 0, ...about });
      if (outcome.runAt) events.emit({ kind: "retried", runAt: outcome.runAt, ...about });
      else events.emit({ kind: "dead", error: outcome.error, ...about });
    }
    return found.length === BATCH;
  }

  /** Answers whether there may be more. */
  async function look(): Promise<boolean> {
    const isLate = await late();
    return (await orphans()) || isLate;
  }

  function outcomeOf({ id, attempt, maxAttempts, workerId }: Orphan): Settlement {
    const fault = { code: "lost", message: "Its worker died." };
    if (attempt >= maxAttempts) return { ...dead(clock, { id, attempt }, fault), workerId };
    const pause = random() * Math.min(MAX_SPREAD_MS, SPREAD_MS * 2 ** Math.min(attempt, 20));
    const runAt = addMs(now(), Math.round(pause));
    return { ...again({ id, attempt }, fault, runAt), workerId };
  }

  return {
    /** Whether `tick` should not be put off, however much there is to do. */
    isDue: (): boolean => performance.now() - ticked >= BUSY_MS,
    /** To be called at least once a second. Answers in how many milliseconds there is something to do again. */
    async tick(): Promise<number> {
      const time = performance.now();
      ticked = time;
      if (time - looked >= (more ? BUSY_MS : LOOK_MS)) {
        looked = time;
        more = await look();
      }
      const dueIn = await promote();
      return more ? Math.min(dueIn, BUSY_MS) : dueIn;
    },
    async all(): Promise<void> {
      for (let round = 0; round < ROUNDS && (await look()); round++);
      await promote();
    },
  };
}
