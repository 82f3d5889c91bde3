/** The arithmetic that all drivers share; what each adds is a place to keep `emptyAt` and a way to change it atomically. */
import type { Rule, Verdict } from "./port.ts";

/**
 * Repeated addition of `windowMs / limit` strays from the exact sum by less than this (milliseconds; doubles near 2^41 are 0.0003 apart),
 * and no two hits that differ by less are told apart.
 */
export const SLACK_MS = 0.01;

/** What a hit of this cost takes, in milliseconds. Throws on a rule or cost that no hit could ever pass. */
export function increment({ limit, windowMs }: Rule, cost: number): number {
  if (!(Number.isInteger(limit) && limit >= 1 && windowMs > 0))
    throw new RangeError("a limit counts from 1 hit a window");
  if (!(Number.isInteger(cost) && cost >= 1 && cost <= limit)) throw new RangeError("a hit costs from 1 to the limit");
  return (windowMs / limit) * cost;
}

/** `emptyAt` as it now stands: moved on by the hit when it passed, else as it was. */
export function verdict(rule: Rule, cost: number, allowed: boolean, emptyAt: number, now: number): Verdict {
  const { limit, windowMs } = rule;
  const used = Math.max(0, emptyAt - now);
  const free = windowMs - used + SLACK_MS;
  return {
    allowed,
    limit,
    remaining: Math.max(0, Math.floor((free * limit) / windowMs)),
    resetMs: used,
    retryMs: allowed ? 0 : Math.max(0, used + increment(rule, cost) - windowMs),
  };
}
