/**
 * Rate limits: atomic counters, one a key. Every driver counts so that hits that arrive together, here or on other instances, never
 * pass more than the limit.
 *
 * The algorithm is GCRA (ITU-T I.371), the leaky bucket kept as one number: the moment at which the whole limit is free again. A hit moves
 * it on by `windowMs / limit` for each unit of its cost, and passes if it then lies no more than `windowMs` ahead. Hence
 *
 * - a fresh key takes `limit` hits at once, and each is free again `windowMs / limit` later, one by one: there is no edge of a window at
 *   which twice the limit passes at once, as with fixed windows, and a client that was refused waits for one hit and not for the window;
 * - a refused hit costs nothing, so that a client which keeps trying is let in as soon as one that waits;
 * - one number and one comparison a hit: less to keep than two counts and the start of their window (a sliding window counter), whose
 *   bound on any span of time is the same, `limit` at once and `limit` a window from then on.
 *
 * Keys of one store are shared by whoever uses it: start them with what they limit (`login:…`, `client:…`).
 */
export interface Limits {
  /** Counts a hit if it passes. Throws `unavailable` only when the store does not answer and the rule says `refuse`. */
  hit(key: string, rule: Rule, cost?: number): Promise<Verdict>;
  /** Frees the whole limit of the key at once. */
  reset(key: string): Promise<void>;
  /** Deletes what is free again, where the store does not do that by itself. To be run now and then. */
  sweep(): Promise<void>;
  /** Answers when the store does. Absent where there is nothing to ask. */
  ping?(): Promise<void>;
  /** Gives back what the driver itself holds; clients that were passed in stay open. */
  close(): Promise<void>;
}

export interface Rule {
  /** Hits a window; the most that can pass at once. A whole number from 1. */
  limit: number;
  windowMs: number;
  /**
   * What happens while the store does not answer. `alone` (the default): each process counts by itself, and a warning is logged; a limit is
   * not worth an outage of everything. `refuse`: `unavailable`; for limits that guard secrets, as those on guessing passwords.
   */
  whenDown?: "alone" | "refuse";
}

export interface Verdict {
  allowed: boolean;
  limit: number;
  /** Further hits of cost 1 that would pass right now. */
  remaining: number;
  /** Until the whole limit is free again. */
  resetMs: number;
  /** Until a hit of this cost would pass, for `Retry-After`; 0 when it did. */
  retryMs: number;
}
