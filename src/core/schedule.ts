/** How a run of a schedule ended, here because tables are declared with it. A run without an outcome has a job that goes on. */
export const runOutcomes = ["done", "failed", "cancelled", "skipped", "missed", "unknown"] as const;
export type RunOutcome = (typeof runOutcomes)[number];

/** Why it ran: it was due; its process had been down when it was due; somebody asked for it. */
export const runCauses = ["cron", "catch-up", "manual"] as const;
export type RunCause = (typeof runCauses)[number];
