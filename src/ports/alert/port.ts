/**
 * Alerts: what the people who run the service are told when it does not do what it promised.
 *
 * An alert is raised when its condition begins to hold and cleared when it has ceased to; both are told once, over any number of instances.
 * What was told is remembered by whoever tells (modules/jobs/alerts.ts). A driver only carries one message, and may get it twice: when it
 * had arrived, and the process died before that was written down. Both then bear the same `messageId`.
 */
import type { Instant } from "../../core/clock.ts";

export interface Alert {
  /** The same when it is raised and when it is cleared. */
  id: string;
  /** The same for each try to tell this. */
  messageId: string;
  state: "raised" | "cleared";
  /** Which condition it is, such as `job.dead`. */
  kind: string;
  /** What it is about: the name of a job type, or of a schedule. */
  subject: string;
  /** For a person: one sentence, without private values. */
  message: string;
  /** Numbers and names that the sentence was made of. */
  detail: Record<string, unknown>;
  /** When it was raised. */
  since: Instant;
  /** When this is told. */
  at: Instant;
}

export interface Alerts {
  readonly driver: "log" | "webhook";
  /** Resolves when it has arrived. Throws when that is not certain, also when the signal ended it: it is told again later. */
  tell(alert: Alert, signal?: AbortSignal): Promise<void>;
}
