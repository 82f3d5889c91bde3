/** The states of a job (src/ports/queue/port.ts tells what they mean), here because tables are declared with them. */
export const jobStates = ["waiting", "delayed", "active", "retrying", "done", "failed", "cancelled"] as const;
export type JobState = (typeof jobStates)[number];
