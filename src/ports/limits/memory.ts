/** Limits of one process. A hit is synchronous inside and takes about 0.2 µs; nothing runs between hits. */
import type { Clock } from "../../core/clock.ts";
import { increment, SLACK_MS, verdict } from "./gcra.ts";
import type { Limits } from "./port.ts";

interface MemoryOptions {
  clock: Clock;
  /** The most keys that are kept, about 100 bytes each. */
  maxKeys?: number;
}

export function createMemoryLimits({ clock, maxKeys = 100_000 }: MemoryOptions): Limits {
  /** `emptyAt` by key, the oldest first. */
  const keys = new Map<string, number>();

  /**
   * Free keys go all at once when the map is full: some milliseconds, once in tens of thousands of new keys. (A few with each new key
   * take 30 µs then: a Map is slow to find its first entry behind deleted ones.) When most are in use, the oldest lose their count.
   */
  function makeRoom(now: number) {
    for (const [key, emptyAt] of keys) if (emptyAt <= now) keys.delete(key);
    for (const key of keys.keys()) {
      if (keys.size <= maxKeys / 2) return;
      keys.delete(key);
    }
  }

  return {
    async hit(key, rule, cost = 1) {
      const step = increment(rule, cost);
      const now = clock.now();
      const known = keys.get(key);
      if (known === undefined && keys.size >= maxKeys) makeRoom(now);
      const before = Math.max(known ?? now, now);
      const after = before + step;
      const allowed = after - now <= rule.windowMs + SLACK_MS;
      if (allowed) keys.set(key, after);
      return verdict(rule, cost, allowed, allowed ? after : before, now);
    },
    async reset(key) {
      keys.delete(key);
    },
    /** Done when there is no room. */
    async sweep() {},
    async close() {
      keys.clear();
    },
  };
}
