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
  const fields = pattern.trim().split(/\s+/);
  const croner = cronerOf(fields, timezone);
  const lost = timezone !== "UTC" && FIXED.test(fields.join(" ")) ? lostAtMidnight(fields, timezone) : null;
  const next = (after: Instant) => {
    const from = fromInstant(after);
    const date = croner.nextRun(new Date(from));
    return asInstant(lost?.(from, date) ?? date);
  };

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

const FIELDS = ["minute", "hour", "day of the month", "month", "day of the week"];

function cronerOf(fields: readonly string[], timezone: string): Croner {
  const pattern = fields.join(" ");
  const wrong = (why: string) => new Error(`"${pattern}" is no cron pattern${why}`);
  // croner takes a date for a pattern too, and `?` for the time at which the process has started.
  if (pattern.includes("?")) throw wrong(': it has a "?", and "*" stands for every value');
  if (fields.length !== FIELDS.length && !/^@[a-z]+$/.test(pattern)) throw wrong(" of five fields");
  const croner = attempt(fields, timezone);
  if (!croner) throw wrong(faultIn(fields, timezone));
  // Such as on the 30th of February.
  if (croner.nextRun() === null) throw new Error(`"${pattern}" has no next time`);
  return croner;
}

/** By trying each field alone: croner's own words count days and months from 0. */
function faultIn(fields: readonly string[], timezone: string): string {
  const at = FIELDS.findIndex((_, i) => !attempt(["*", "*", "*", "*", "*"].with(i, fields[i] ?? "*"), timezone));
  return fields.length === FIELDS.length && at >= 0 ? `: its ${FIELDS[at]} cannot be "${fields[at]}"` : "";
}

/** Neither `*` nor a step in minute and hour. */
const FIXED = /^[^\s*/]+ +[^\s*/]+ /;
const DAY_MS = 86_400_000;

/**
 * croner looks for the first moment after a gap on the same day, and there is none where the gap ends at midnight, as in Nuuk. Answers the
 * moment at which such a gap ends, if a time of the pattern lies in it and no other comes before.
 */
function lostAtMidnight(fields: readonly string[], timezone: string) {
  const wall = cronerOf(fields, "UTC");
  const format = new Intl.DateTimeFormat("sv", { timeZone: timezone, dateStyle: "short", timeStyle: "medium" });
  /** What a clock on the wall shows, as if it were UTC. */
  const shown = (ms: number) => Date.parse(`${format.format(ms).replace(" ", "T")}Z`);
  const offset = (ms: number) => shown(ms) - Math.floor(ms / 1000) * 1000;

  return (after: number, found: Date | null): Date | null => {
    const time = wall.nextRun(new Date(shown(after)))?.getTime();
    if (time === undefined || (found && shown(found.getTime()) === time)) return null;
    const first = time - offset(after);
    const second = time - offset(first);
    if (shown(first) === time || shown(second) === time) return null;
    const behind = Math.max(first, second);
    const midnight = behind - (shown(behind) % DAY_MS);
    return shown(midnight) > time && midnight > after ? new Date(midnight) : null;
  };
}

function attempt(fields: readonly string[], timezone: string): Croner | null {
  try {
    const options = { timezone, mode: "5-part", paused: true, fixedTimeRule: "no-wildcard" } as const;
    return new Croner(fields.join(" "), options);
  } catch {
    return null;
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
