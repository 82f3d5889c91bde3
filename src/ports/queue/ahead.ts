/**
 * How many jobs a process claims beyond those that can start. The database answers a claim of many in little more than the time of one, and a
 * worker that held none would wait for each.
 */
import type { ClaimedJob } from "./port.ts";

/** What is held so and did not run when this process dies has used an attempt. */
const MOST = 1000;
/** Of their inputs as JSON, in UTF-16 units, by what was seen lately. An isolate of Workers has 128 MB for everything. */
const MOST_UNITS = 8 * 1024 * 1024;

export type Ahead = ReturnType<typeof createAhead>;

export function createAhead({ concurrency, random }: { concurrency: number; random: () => number }) {
  /** How long an attempt and a claim take, lately, in milliseconds. */
  let runMs = 1000;
  let claimMs = 2;
  /** How much an input is. */
  let units = 1;

  return {
    /** As many as end while a claim is under way. */
    most: (): number =>
      Math.min(MOST, Math.floor((concurrency * claimMs) / Math.max(runMs, 0.02)), Math.floor(MOST_UNITS / units)),
    ran(ms: number): void {
      runMs += (ms - runMs) / 16;
    },
    /** One job, by chance, stands for all of its claim: to print each would cost more than to run it. */
    claimed(jobs: readonly ClaimedJob[], ms: number): void {
      claimMs += (ms - claimMs) / 8;
      const one = jobs[Math.floor(random() * jobs.length)];
      if (!one) return;
      const size = JSON.stringify(one.input).length;
      // Large ones are believed at once, and forgotten slowly.
      units = Math.max(size, units + (size - units) / 8);
    },
  };
}
