import { AppError } from "./error.ts";

/** The entity tags that an update is made for (`If-Match`): null when the client did not say, `*` for any. */
export type IfMatch = readonly string[] | "*" | null;

/** The strong entity tag of a row. Any change of the row changes it. */
export const versionTag = (row: { version: number }): string => `"${row.version}"`;

/** Throws `precondition_failed` when the client has seen another version than this one. */
export function assertMatch(ifMatch: IfMatch, row: { version: number }): void {
  if (ifMatch === null || ifMatch === "*" || ifMatch.includes(versionTag(row))) return;
  throw new AppError("precondition_failed");
}
