/**
 * When a schedule is due. croner parses the patterns and knows the time zones; five fields, so that all runtimes mean the same: the cron
 * trigger of Workers comes once a minute.
 *
 * Where clocks change, a pattern with a `*` or a step in its minute or hour is an interval: it skips the hour that is left out, and comes in
 * both hours that bear one name. Any other names times of the day: one that is left out comes at the first moment after the gap, and one
 * that occurs twice comes the first time alone. (croner's rule `no-wildcard`; it is close to Vixie cron's.)
 */
import { Cron as Croner } from "croner";
import { fromInstant, type Instant, toInstant } from "../../core/clock.ts";

export interface Cron {
  /** The first time after this one; null when there is none. */
  next(after: Instant): Instant | null;
  /** What is due after one time and up to another; null for nothing. */
  between(after: Instant, upTo: Instant): Due | null;
}

export interface Due {
  first: Instant;
  latest: Instant;
  /** The one before the latest, if there is one. */
  earlier: Instant | null;
  /** How many, and never more than MOST are counted. */
  count: number;
}

export const MOST = 1000;

/** Throws an Error that says what is wrong with a pattern or a time zone. */
export function parseCron(pattern: string, timezone: string): Cron {
  if (!isTimezone(timezone)) throw new Error(`"${timezone}" is no time zone`);
  const croner = cronerOf(pattern, timezone);
  const next = (after: Instant) => asInstant(croner.nextRun(new Date(fromInstant(after))));

  return {
    next,
    between(after, upTo) {
      const first = next(after);
      if (first === null || first > upTo) return null;
      const runs = [first];
      for (let at = next(first); at !== null && at <= upTo && runs.length < MOST; at = next(at)) runs.push(at);
      // After a long absence the newest ones are found from behind.
      if (runs.length === MOST) {
        const behind = croner.previousRuns(2, new Date(fromInstant(upTo) + 1));
        runs.splice(-2, 2, ...behind.reverse().map((date) => toInstant(date.getTime())));
      }
      return { first, latest: runs.at(-1) as Instant, earlier: runs.at(-2) ?? null, count: runs.length };
    },
  };
}

function cronerOf(pattern: string, timezone: string): Croner {
  // croner takes a date for a pattern too, and `?` for the time at which the process has started.
  if (!/^(@[a-z]+|[^\s?]+( +[^\s?]+){4})$/.test(pattern))
    throw new Error(`"${pattern}" is no cron pattern of five fields`);
  const croner = attempt(
    pattern,
    () => new Croner(pattern, { timezone, mode: "5-part", paused: true, fixedTimeRule: "no-wildcard" }),
  );
  // Such as on the 30th of February.
  if (attempt(pattern, () => croner.nextRun()) === null) throw new Error(`"${pattern}" has no next time`);
  return croner;
}

function attempt<T>(pattern: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Error(`"${pattern}" is no cron pattern: ${error instanceof Error ? error.message : error}`);
  }
}

/** By its name: offsets know no daylight saving, and not every runtime takes them. */
function isTimezone(timezone: string): boolean {
  try {
    return /^[A-Z]/i.test(timezone) && new Intl.DateTimeFormat("en", { timeZone: timezone }) !== null;
  } catch {
    return false;
  }
}

const asInstant = (date: Date | null): Instant | null => date && toInstant(date.getTime());
