/** How due jobs come to this process: it claims them, or it claims those whose ids a carrier has brought. */
import { type Clock, toInstant } from "../../core/clock.ts";
import { fills } from "./claiming.ts";
import type { JobHandler } from "./define.ts";
import { gather } from "./gather.ts";
import type { createLease } from "./lease.ts";
import { unended } from "./outcome.ts";
import type { createPool } from "./pool.ts";
import type { ClaimedJob } from "./port.ts";
import type { Prefetch } from "./prefetch.ts";
import type { createRates } from "./rates.ts";
import type { createRelay } from "./relay.ts";
import type { Settler } from "./settler.ts";
import type { JobStore } from "./store.ts";

interface IntakeOptions {
  store: JobStore;
  pool: ReturnType<typeof createPool>;
  lease: ReturnType<typeof createLease>;
  rates: ReturnType<typeof createRates>;
  prefetch: Prefetch;
  settler: Settler;
  clock: Clock;
  handlers: ReadonlyMap<string, JobHandler>;
  /** What gives a carrier the ids of those that it brings. */
  relay: ReturnType<typeof createRelay> | null;
  /** Told when there is more to do than fits here. */
  onSurplus: () => void;
}

export function createIntake(options: IntakeOptions) {
  const { store, pool, lease, rates, prefetch, settler, clock, handlers, relay, onSurplus } = options;
  const carried = relay?.types ?? [];
  const brought = new Set(carried.map(({ name }) => name));
  /** Whether there was more than fitted when it was last looked. */
  let more = true;
  /** Claims are numbered as they begin; those that are under way are in here. */
  const claiming = new Set<number>();
  let claims = 0;

  const now = () => toInstant(clock.now());
  const typeOf = ({ name }: { name: string }) => (handlers.get(name) as JobHandler).type;

  /** It is under way until what it brought is held. */
  async function numbered<T>(claim: () => Promise<T>): Promise<T> {
    const number = ++claims;
    claiming.add(number);
    try {
      return await claim();
    } finally {
      claiming.delete(number);
    }
  }

  /** How many were claimed. */
  async function claim(): Promise<number> {
    const { total, ...room } = pool.room();
    const slots = room.slots.filter(({ name }) => !brought.has(name)).map((slot) => rates.within(slot, typeOf(slot)));
    if (total <= 0 || slots.length === 0) return 0;
    const workerId = await lease.take();
    const since = performance.now();
    return numbered(async () => {
      const jobs = await store.claim(slots, { workerId, now: now(), total });
      prefetch.claimed(jobs, performance.now() - since);
      more = jobs.length >= total || fills(jobs, slots);
      if (more) onSurplus();
      for (const job of jobs) if (!isRated(job) || !(await isPutOff(job, workerId))) pool.take(job, workerId);
      pool.pump();
      return jobs.length;
    });
  }

  /** Whether its rate puts the job off. Few types have one, and to wait for an answer for each job of the others would be dear. */
  async function isPutOff(job: ClaimedJob, workerId: string): Promise<boolean> {
    const runAt = await rates.putOff(job, typeOf(job));
    if (runAt !== null) settler.add({ ...unended(job), workerId, state: "delayed", runAt });
    return runAt !== null;
  }
  const isRated = (job: ClaimedJob) => typeOf(job).group?.rate !== undefined;

  /** Answers, of those that were claimed, when each has ended. */
  const claimBrought = gather(async (ids) => {
    const slots = carried.map(({ name, queue, version }) => ({
      name,
      queue,
      version,
      free: ids.length,
      perGroup: null,
    }));
    const workerId = await lease.take();
    const ends = await numbered(async () => {
      const jobs = await store.claim(slots, { workerId, now: now(), total: ids.length, ids });
      return new Map(
        jobs.map((job) => {
          const ended = pool.ended(job.id);
          pool.take(job, workerId);
          return [job.id, ended];
        }),
      );
    });
    pool.pump();
    return ends;
  });

  return {
    claim,
    async deliver(ids: readonly string[]): Promise<void> {
      const ends = await claimBrought(ids);
      const left = ids.filter((id) => !ends.has(id));
      // One that waits still is of a queue that is paused, or of a type or version that others know: it is sent again.
      if (left.length > 0 && relay) await relay.again(left);
      await Promise.all(ends.values());
    },
    /** Jobs may be due. */
    expect(): void {
      more = true;
    },
    hasMore: (): boolean => more,
    isClaiming: (): boolean => claiming.size > 0,
    /** The number of the newest claim, and whether all up to that one have ended. */
    newest: (): number => claims,
    areOver: (upTo: number): boolean => [...claiming].every((claim) => claim > upTo),
  };
}
