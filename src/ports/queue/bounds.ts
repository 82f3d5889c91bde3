/** What the columns of the record hold, on every engine. A `…Fault` says what is wrong with a value; null: nothing. */
import { fromInstant, type Instant, toInstant } from "../../core/clock.ts";

/** Of a unique key and of a group, in bytes of UTF-8: an entry of an index takes 2,704 on PostgreSQL. */
const MAX_KEY_BYTES = 2_000;
/** Of a column of four bytes, and of its negation. */
export const MAX_INT = 2 ** 31 - 1;

export const wholeFault = (value: number, least: number): string | null =>
  Number.isInteger(value) && value >= least && value <= MAX_INT
    ? null
    : `${value} is no whole number from ${least} to ${MAX_INT}`;

/** A hundred years: the end of any such time has four digits of a year. */
const MAX_MS = 100 * 365.25 * 24 * 3_600_000;

export const spanFault = (ms: number, least: number): string | null =>
  ms >= least && ms <= MAX_MS ? null : `${ms} is no time from ${least} to ${MAX_MS} ms`;

/** The text of an instant sorts by time as long as its year has four digits; PostgreSQL has no year 0. */
const FIRST = fromInstant("0001-01-01T00:00:00.000Z");
const LAST = fromInstant("9999-12-31T23:59:59.999Z");

/** null: this is none that can be kept. */
export const instantAt = (ms: number): Instant | null => (ms >= FIRST && ms <= LAST ? toInstant(ms) : null);

/** With its zone: what a machine takes for local time differs from one to the next. A date is midnight in UTC. */
const ISO = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/;

/** In the one form that all instants have, because their texts are compared. */
export const instantOf = (text: string): Instant | null => (ISO.test(text) ? instantAt(fromInstant(text)) : null);

export function keyFault(key: string): string | null {
  if (typeof key !== "string") return "it is no text";
  if (key.length * 3 > MAX_KEY_BYTES && new TextEncoder().encode(key).length > MAX_KEY_BYTES)
    return `it is larger than ${MAX_KEY_BYTES} bytes`;
  return key.includes("\0") || !key.isWellFormed() ? "it holds a character that cannot be stored" : null;
}
