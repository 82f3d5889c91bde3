/**
 * How many jobs a process claims beyond those that can start. The database answers a claim of many in little more than the time of one, and a
 * worker that held none would wait for each.
 */
import type { ClaimedJob } from "./port.ts";

/** What is held so and did not run when this process dies has used an attempt. */
const MOST = 1000;
/** How long those that are held so take together at most, by what their type took lately; they are held for twice that at most. */
const MOST_MS = 200;
export const HELD_MS = 2 * MOST_MS;
/** One that takes so long keeps its place while others are held. */
const LONG_MS = 100;
/** Of a type that has not run here yet nothing is claimed ahead. */
const UNKNOWN_MS = 1000;
/** Of their inputs as JSON, in UTF-16 units, by what was seen lately. An isolate of Workers has 128 MB for everything. */
const MOST_UNITS = 8 * 1024 * 1024;

export type Prefetch = ReturnType<typeof createPrefetch>;

export function createPrefetch({ random }: { random: () => number }) {
  /** How long an attempt of each type takes, and a claim, lately, in milliseconds. */
  const runMs = new Map<string, number>();
  let claimMs = 2;
  /** How much an input is. */
  let units = 1;

  const known = (name: string) => runMs.get(name) ?? UNKNOWN_MS;

  return {
    /** As many of this type as end in so many places while a claim is under way. */
    most: (name: string, places: number): number =>
      Math.min(
        MOST,
        Math.floor((places * Math.min(claimMs, MOST_MS)) / Math.max(known(name), 0.02)),
        Math.floor(MOST_UNITS / units),
      ),
    isLong: (name: string): boolean => known(name) >= LONG_MS,
    ran(name: string, ms: number): void {
      const before = known(name);
      runMs.set(name, before + (ms - before) / 16);
    },
    /** One of this type has run for so long, and goes on: it is believed at once, and forgotten slowly. */
    runs(name: string, ms: number): void {
      runMs.set(name, Math.max(ms, known(name)));
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
