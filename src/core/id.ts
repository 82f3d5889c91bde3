import { typeidUnboxed } from "typeid-js";

/** The kinds of thing that have an id, by the prefix that an id shows. */
export const idPrefixes = {
  user: "user",
  session: "sess",
  refreshToken: "rtok",
  auditEntry: "aud",
  auditSeal: "seal",
  idempotencyKey: "idem",
  job: "job",
  jobWorker: "wrk",
  alert: "alrt",
  scheduleRun: "run",
  policyRule: "rule",
  apiKey: "key",
} as const;

export type IdPrefix = (typeof idPrefixes)[keyof typeof idPrefixes];

/** A TypeID (github.com/jetify-com/typeid, spec 0.3): the prefix, `_`, and a UUIDv7 in base 32. Sorts by the time of its making. */
export const newId = <P extends IdPrefix>(prefix: P): string => typeidUnboxed(prefix);

/** 26 digits of Crockford's base 32; the first is at most 7, because 130 bits hold a 128-bit UUID. */
export const idPattern = (prefix: IdPrefix): RegExp => new RegExp(`^${prefix}_[0-7][0-9a-hjkmnp-tv-z]{25}$`);
