/** Time is passed in, so that tests move it instead of sleeping. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** Whether less than `ms` have passed since then. A clock that was set back does not make it longer. */
export const isWithin = (ms: number, since: number, now: number): boolean => now >= since && now - since < ms;

/** A timer that does not keep the process alive. Workers' timers are numbers, and keep nothing. */
export function unref<T>(timer: T): T {
  (timer as { unref?: () => void }).unref?.();
  return timer;
}

/**
 * An instant as it is stored, compared and sent: ISO-8601, UTC, milliseconds (`2026-01-31T09:30:00.000Z`). Its text sorts by time, and
 * it is the same in SQL parameters, JSON and TypeScript on every engine, so nothing on the way converts it.
 */
export type Instant = string;

export function toInstant(ms: number): Instant {
  // A request asks three times for about the same millisecond, and others beside it.
  if (ms !== last.ms) last = { ms, text: new Date(ms).toISOString() };
  return last.text;
}
let last = { ms: Number.NaN, text: "" };
export const fromInstant = (instant: Instant): number => Date.parse(instant);
export const addMs = (instant: Instant, ms: number): Instant => toInstant(fromInstant(instant) + ms);
