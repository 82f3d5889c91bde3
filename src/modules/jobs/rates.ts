/** How fast jobs were, from what was counted of them by the minute (ports/queue/tally.ts). */
import { bucketEdges, buckets } from "../../../db/tables-queue.ts";
import { type Counts, counted, largest, summed } from "../../ports/queue/tally.ts";

/** How long something took: of `count` times, in milliseconds. Percentiles are estimated from the buckets that are counted. */
export interface Times {
  count: number;
  meanMs: number;
  maxMs: number;
  p50Ms: number;
  p95Ms: number;
}

export interface Rates {
  done: number;
  /** Attempts that failed and were given another. */
  retried: number;
  /** Jobs that died. */
  failed: number;
  cancelled: number;
  /** From due to start. */
  wait: Times;
  /** From start to end. */
  run: Times;
}

export const ratesOf = (counts: Counts): Rates => ({
  done: counts.done,
  retried: counts.retried,
  failed: counts.failed,
  cancelled: counts.cancelled,
  wait: timesOf(counts, "wait"),
  run: timesOf(counts, "run"),
});

export function addUp(all: readonly Counts[]): Counts {
  const sum = Object.fromEntries(counted.map((name) => [name, 0])) as Counts;
  for (const counts of all) {
    for (const name of summed) sum[name] += counts[name];
    for (const name of largest) sum[name] = Math.max(sum[name], counts[name]);
  }
  return sum;
}

function timesOf(counts: Counts, kind: "wait" | "run"): Times {
  const sizes = buckets.map((bucket) => counts[`${kind}${bucket}`]);
  const count = sizes.reduce((sum, n) => sum + n, 0);
  const maxMs = counts[`${kind}MaxMs`];
  const at = (share: number) => percentile(sizes, count, maxMs, share);
  const meanMs = count === 0 ? 0 : round(counts[`${kind}Ms`] / count);
  return { count, meanMs, maxMs: round(maxMs), p50Ms: at(0.5), p95Ms: at(0.95) };
}

/** Within a bucket times are taken to be spread evenly. None is above the largest that was seen. */
function percentile(sizes: readonly number[], count: number, maxMs: number, share: number): number {
  let left = count * share;
  for (const [i, n] of sizes.entries()) {
    if (left > n || n === 0) {
      left -= n;
      continue;
    }
    const from = i === 0 ? 0 : (bucketEdges[i - 1] as number);
    const to = Math.min(bucketEdges[i] ?? maxMs, maxMs);
    return round(Math.min(maxMs, from + Math.max(0, to - from) * (left / n)));
  }
  return 0;
}

const round = (ms: number) => Math.round(ms * 10) / 10;
