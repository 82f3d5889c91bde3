import type { Retry } from "./define.ts";

/**
 * How long after a failed attempt (from 1) the next one comes; null: never. A random time up to a bound that doubles ("full jitter", AWS
 * Architecture Blog, Exponential Backoff And Jitter): jobs that failed together do not come back together.
 * `unsaid` is told why the type's own pause could not be taken.
 */
export function pauseAfter(
  retry: Retry,
  attempt: number,
  error: unknown,
  random: () => number,
  unsaid: (why: unknown) => void,
): number | null {
  if (retry.delayMs) {
    try {
      const ms = retry.delayMs(attempt, error);
      if (ms === null || (Number.isFinite(ms) && ms >= 0)) return ms;
      unsaid(new Error(`delayMs answered ${ms}`));
    } catch (fault) {
      unsaid(fault);
    }
  }
  return Math.round(random() * Math.min(retry.maxMs, retry.baseMs * 2 ** Math.min(attempt - 1, 40)));
}
