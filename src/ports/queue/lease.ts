/**
 * The lease of this process: a row that it touches. What the row's jobs are is asked at the same time, so that one look finds out that a
 * job was cancelled or given to another, and that a claim was committed whose answer never arrived.
 */
import { type Clock, toInstant } from "../../core/clock.ts";
import { hasCode, unavailable } from "../../core/error.ts";
import { idPrefixes, newId } from "../../core/id.ts";
import type { Log } from "../log/port.ts";
import type { DispatchName } from "./port.ts";
import type { JobStore } from "./store.ts";

const BEAT_MS = 3000;
/** A worker that was not seen for so long is dead. Three beats, and the difference of two clocks. */
export const DEAD_MS = 10_000;

interface LeaseOptions {
  store: JobStore;
  clock: Clock;
  log: Log;
  names: readonly string[];
  concurrency: number;
  dispatch: DispatchName;
  /** Whether this process knows that it has the job. */
  holds(jobId: string): boolean;
  /** The number of the newest claim that has begun, and whether all up to that one have ended, and what they brought is known. */
  mark(): number;
  isOver(mark: number): boolean;
  /** Told of an active job of this worker that it does not know of. */
  give(jobId: string, attempt: number, workerId: string): void;
  /** How many jobs this process has taken so far. */
  taken(): number;
  /** Told what the record says that the worker has, by id, and what had been `taken` when it was asked; null: it was found dead. */
  lost(workerId: string, kept: Map<string, number> | null, taken: number): void;
}

export function createLease(options: LeaseOptions) {
  const { store, clock, log, names, concurrency, dispatch, holds, mark, isOver, give, taken, lost } = options;
  let id: string | null = null;
  let taking: Promise<string> | null = null;
  let timer: ReturnType<typeof setInterval> | null = null;
  let hasLeft = false;
  let beating: Promise<void> | null = null;
  /** Jobs that the record says are ours, and we do not know of: in which attempt, and which claims may still bring them. */
  let strange = new Map<string, { attempt: number; mark: number }>();

  async function register(): Promise<string> {
    const next = newId(idPrefixes.jobWorker);
    await store.register({ id: next, names, concurrency, dispatch, now: toInstant(clock.now()) });
    if (hasLeft) {
      await store.leave(next);
      throw stopped();
    }
    id = next;
    timer ??= setInterval(() => {
      beat().catch((err) => {
        if (!hasCode(err, "unavailable")) log.error({ err }, "the worker could not say that it is alive");
      });
    }, BEAT_MS);
    return next;
  }

  const stopped = () => unavailable("The worker has stopped.");

  const take = async (): Promise<string> => {
    if (id !== null) return id;
    if (hasLeft) throw stopped();
    taking ??= register().finally(() => {
      taking = null;
    });
    return taking;
  };

  async function look(): Promise<void> {
    const own = id ?? (await take());
    const before = taken();
    const kept = await store.beat(own, toInstant(clock.now()));
    if (id !== own) return;
    if (kept === null) {
      log.warn({ worker: own }, "this worker was found dead: its jobs are run by others, and it begins anew");
      id = null;
      strange = new Map();
      lost(own, null, before);
      await take();
      return;
    }
    lost(own, kept, before);
    const unknown: typeof strange = new Map();
    for (const [job, attempt] of kept) {
      if (holds(job)) continue;
      const seen = strange.get(job);
      if (seen?.attempt !== attempt) unknown.set(job, { attempt, mark: mark() });
      else if (isOver(seen.mark)) give(job, attempt, own);
      else unknown.set(job, seen);
    }
    strange = unknown;
  }

  /** One at a time: while the database is away they would pile up. */
  const beat = (): Promise<void> => {
    beating ??= look().finally(() => {
      beating = null;
    });
    return beating;
  };

  return {
    /** The id of this worker. Rejects when it has left: what it claimed then nobody would hold. */
    take,
    beat,
    current: (): string | null => id,
    /** For good, also where the lease is being taken at this moment. */
    async leave(): Promise<void> {
      hasLeft = true;
      if (timer) clearInterval(timer);
      timer = null;
      const own = id;
      id = null;
      if (own !== null) await store.leave(own);
      await taking?.catch(() => {});
    },
  };
}
