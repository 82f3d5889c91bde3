/** What a rule says about a store that does not answer, for every driver that has one: the process counts alone, or refuses. */
import type { Clock } from "../../core/clock.ts";
import { AppError, unavailable } from "../../core/error.ts";
import type { Log } from "../log/port.ts";
import { createMemoryLimits } from "./memory.ts";
import type { Limits } from "./port.ts";

/** A store that is down is down for each request: one warning in this time tells it. */
const WARN_EVERY_MS = 10_000;

export function whenDown(limits: Limits, { log, clock }: { log: Log; clock: Clock }): Limits {
  const alone = createMemoryLimits({ clock });
  let warnedAt = Number.NEGATIVE_INFINITY;
  let hits = 0;

  function warn(error: unknown) {
    hits++;
    const now = clock.now();
    if (now - warnedAt < WARN_EVERY_MS) return;
    log.warn({ err: error, hits }, "the store of rate limits does not answer: this process counts alone");
    warnedAt = now;
    hits = 0;
  }

  return {
    ...limits,
    async hit(key, rule, cost) {
      try {
        return await limits.hit(key, rule, cost);
      } catch (error) {
        if (error instanceof RangeError) throw error;
        if (rule.whenDown === "refuse") {
          throw error instanceof AppError ? error : unavailable("The store of rate limits does not answer.", error);
        }
        warn(error);
        return alone.hit(key, rule, cost);
      }
    },
  };
}
