/**
 * The rates of types whose groups have one. What was claimed and may not run yet is put off, and its group left out of claims for as long:
 * to claim and put off all that waits, over and over, took half of a core for 3,000 jobs.
 */
import { type Clock, type Instant, toInstant } from "../../core/clock.ts";
import type { Limits, Rule } from "../limits/port.ts";
import type { Log } from "../log/port.ts";
import type { Slot } from "./claiming.ts";
import type { JobType } from "./define.ts";
import type { ClaimedJob } from "./port.ts";

interface RateOptions {
  limits: Limits | undefined;
  clock: Clock;
  log: Log;
}

/** After how long a store that does not answer is asked again. */
const AWAY_MS = 1000;
/** A group is left out for so long at least, so that of a high rate there is more than one job to take then. */
const LEAST_MS = 50;

export function createRates({ limits, clock, log }: RateOptions) {
  /** By name, the groups whose rate is used up, and until when. */
  const used = new Map<string, Map<string, number>>();

  /** Milliseconds; 0 where it is over. More than a window of it can only be left where the clock was set back. */
  function leftOf(name: string, key: string, rate: Rule): number {
    const groups = used.get(name);
    const left = (groups?.get(key) ?? 0) - clock.now();
    if (left > 0 && left <= Math.max(rate.windowMs, AWAY_MS)) return left;
    groups?.delete(key);
    return 0;
  }

  return {
    /** The slot of a type, without the groups whose rate is used up. */
    within(slot: Slot, { name, group }: JobType): Slot {
      if (!group?.rate || !limits) return slot;
      const { rate } = group;
      const full = [...(used.get(name)?.keys() ?? [])].filter((key) => leftOf(name, key, rate) > 0);
      return { ...slot, perClaim: rate.limit, full };
    },
    /** When the job may run, if not now. */
    async putOff({ name, groupKey }: ClaimedJob, { group }: JobType): Promise<Instant | null> {
      if (!group?.rate || !limits) return null;
      const key = groupKey ?? "";
      let left = leftOf(name, key, group.rate);
      if (left === 0) {
        const { allowed, retryMs } = await limits.hit(`job:${name}:${key}`, group.rate).catch((err) => {
          log.warn({ err, name }, "a rate could not be asked about: its jobs wait");
          return { allowed: false, retryMs: AWAY_MS };
        });
        if (allowed) return null;
        left = Math.max(LEAST_MS, retryMs);
        const groups = used.get(name) ?? new Map<string, number>();
        used.set(name, groups.set(key, clock.now() + left));
      }
      return toInstant(clock.now() + Math.ceil(left));
    },
  };
}
