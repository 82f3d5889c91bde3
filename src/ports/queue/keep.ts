/** How long jobs that have ended are kept, in milliseconds, where that does not follow from their type's `keepMs`. */

export const KEEP_DEAD_MS = 30 * 24 * 3_600_000;
export const KEEP_CANCELLED_MS = 24 * 3_600_000;
/** At least, for those that a schedule made: their end has to be written down with the run. */
export const KEEP_SCHEDULED_MS = 3_600_000;
