/** An entry as it is hashed, exported and verified: one text, whatever engine it comes from. */
import canonicalize from "canonicalize";
import type { Tables } from "../../../db/tables.ts";
import { fromInstant, type Instant, toInstant } from "../../core/clock.ts";

export type Entry = Tables["auditEntries"]["$inferSelect"];

/**
 * RFC 8785 (JCS), without members that are null: a column that is added later changes no hash. JCS refuses half of a surrogate pair, which
 * SQLite can hold; it is hashed as U+FFFD, so that no entry can stop the sealing of those behind it.
 */
export function canonical(entry: Entry): string {
  const present = Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== null));
  try {
    return canonicalize(present) as string;
  } catch {
    return canonicalize(wellFormed(present)) as string;
  }
}

function wellFormed(value: unknown): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (Array.isArray(value)) return value.map(wellFormed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key.toWellFormed(), wellFormed(inner)]));
}

/** In order of their UTF-16 code units: the order of sealed entries within one seal, whatever collation the database has. */
export const byId = (a: { id: string }, b: { id: string }): number => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";

/** What ids of entries that were made at this time begin with, or those made later are above: the 48 bits of a UUIDv7's time. */
export function idsFrom(instant: Instant): string {
  let ms = fromInstant(instant);
  let text = "";
  for (let i = 0; i < 10; i++) {
    text = DIGITS[ms % 32] + text;
    ms = Math.floor(ms / 32);
  }
  return `aud_${text}`;
}

/** When an id of an entry was made. */
export function timeOfId(id: string): Instant {
  let ms = 0;
  for (const digit of id.slice(4, 14)) ms = ms * 32 + Math.max(0, DIGITS.indexOf(digit));
  return toInstant(Math.min(ms, 8.64e15));
}
