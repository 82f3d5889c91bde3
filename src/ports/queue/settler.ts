/**
 * Outcomes on their way into the record. One statement is under way at a time and takes all that have come up meanwhile, so the more
 * there is to do, the less each costs. While the database is away they wait here.
 */
import { type Clock, toInstant } from "../../core/clock.ts";
import { hasCode } from "../../core/error.ts";
import { pause } from "../../core/timeout.ts";
import type { Log } from "../log/port.ts";
import { firstOf } from "./payload.ts";
import type { Settlement } from "./port.ts";
import type { JobStore } from "./store.ts";

interface SettlerOptions {
  store: JobStore;
  clock: Clock;
  log: Log;
  /** Told of each, once the record has it, or has rejected it because the job was taken away. */
  onSettled(outcome: Settlement, accepted: boolean): void;
}

interface Progress {
  workerId: string;
  id: string;
  attempt: number;
  value: unknown;
}

/** The most in one statement. */
const BATCH = 500;
const MAX_PAUSE_MS = 2000;
/** How often one outcome that the database refuses may hold up the others. */
const MAX_FAULTS = 5;

export type Settler = ReturnType<typeof createSettler>;

export function createSettler({ store, clock, log, onSettled }: SettlerOptions) {
  let pending: Settlement[] = [];
  const progress = new Map<string, Progress>();
  let writing: Promise<void> | null = null;
  let working: Promise<void> | null = null;
  /** Whether the first of them may be recorded already. */
  let again = false;

  async function work() {
    // What ends in the same turn of the event loop goes together.
    await Promise.resolve();
    let faults = 0;
    for (let wait = 50; pending.length > 0; ) {
      const batch = firstOf(pending, BATCH, ({ result }) => result);
      try {
        while (writing) await writing;
        if (progress.size > 0) await flush();
        await settle(batch, faults > 0);
        pending.splice(0, batch.length);
        wait = 50;
        faults = 0;
        again = false;
      } catch (err) {
        again = true;
        if (!hasCode(err, "unavailable")) {
          log.error({ err }, "outcomes of jobs could not be recorded");
          faults++;
        }
        if (faults >= MAX_FAULTS) {
          faults = 0;
          // The lease finds out that the job is held and not known, and gives it back.
          for (const outcome of pending.splice(0, 1)) onSettled(outcome, false);
        }
        await pause(wait);
        wait = Math.min(wait * 2, MAX_PAUSE_MS);
      }
    }
    // In the turn in which nothing was left: what is added from now on begins anew.
    working = null;
  }

  /** What the database refuses the first time may be the other side of a deadlock: a job that is done is not to fail for it. */
  async function settle(batch: Settlement[], isRefused: boolean): Promise<void> {
    try {
      const accepted = await store.settle(batch, toInstant(clock.now()), again);
      for (const outcome of batch) onSettled(outcome, accepted.has(outcome.id));
    } catch (error) {
      const [only] = batch;
      if (hasCode(error, "unavailable") || !only || !isRefused) throw error;
      again = true;
      // One that the database refuses must not hold back the others.
      if (batch.length > 1) for (const outcome of batch) await settle([outcome], true);
      else if (only.result === null && only.error?.code === "result") throw error;
      else await settle([{ ...only, result: null, ...refused(only) }], true);
    }
  }

  const refused = ({ attempt, purgeAt }: Settlement): Partial<Settlement> => ({
    state: "failed",
    error: { code: "result", message: "The outcome could not be recorded.", attempt },
    runAt: null,
    purgeAt,
    drop: false,
  });

  /** One at a time: an older value must not come after a newer one. */
  const flush = (): Promise<void> => {
    writing = writeProgress().finally(() => {
      writing = null;
    });
    return writing;
  };

  async function writeProgress() {
    const values = [...progress.values()];
    const workers = new Set(values.map(({ workerId }) => workerId));
    for (const id of workers) {
      const own = values.filter(({ workerId }) => workerId === id);
      try {
        await store.progress(id, own);
      } catch (err) {
        if (hasCode(err, "unavailable")) throw err;
        // What the database refuses now it would refuse again, and outcomes wait behind it.
        log.error({ err }, "the progress of jobs could not be recorded");
      }
      for (const value of own) if (progress.get(value.id) === value) progress.delete(value.id);
    }
  }

  return {
    add(outcome: Settlement): void {
      pending.push(outcome);
      working ??= work();
    },
    /** The newest value of each job is written with `flushProgress`, or before the job's outcome. */
    progress(workerId: string, id: string, attempt: number, value: unknown): void {
      progress.set(id, { workerId, id, attempt, value });
    },
    async flushProgress(): Promise<void> {
      if (progress.size > 0 && !writing) await flush();
    },
    has: (id: string) => pending.some((outcome) => outcome.id === id),
    /** When all that was added is recorded. */
    async idle(): Promise<void> {
      while (working) await working;
    },
    /** Forgets what could not be recorded. */
    drop(): void {
      pending = [];
    },
  };
}
