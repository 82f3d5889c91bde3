import type { Retry } from "./define.ts";

/**
 * How long after a failed attempt (from 1) the next one comes; null: never. A random time up to a bound that doubles ("full jitter", AWS
 * Architecture Blog, Exponential Backoff And Jitter): jobs that failed together do not come back together.
 */
export function pauseAfter(retry: Retry, attempt: number, error: unknown, random: () => number): number | null {
  if (retry.delayMs) return retry.delayMs(attempt, error);
  return Math.round(random() * Math.min(retry.maxMs, retry.baseMs * 2 ** Math.min(attempt - 1, 40)));
}
