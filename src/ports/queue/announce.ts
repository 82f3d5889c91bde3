/** What a recorded outcome means to those who listen. */
import { type Clock, fromInstant, toInstant } from "../../core/clock.ts";
import type { Log } from "../log/port.ts";
import type { EventSource } from "./events.ts";
import type { Ending } from "./pool.ts";
import type { Outcome } from "./port.ts";

export function announce(
  { events, log, clock }: { events: EventSource; log: Log; clock: Clock },
  { job, startedAt, endedAt }: Ending,
  { state, error, runAt }: Outcome,
  accepted: boolean,
): void {
  const { id, name, queue, attempt } = job;
  if (!accepted) {
    log.warn({ job: id, name, attempt }, "the answer of an attempt was rejected: the job had been taken away from it");
    return;
  }
  const at = toInstant(clock.now());
  const waitMs = Math.max(0, startedAt - fromInstant(job.runAt));
  const runMs = endedAt - startedAt;
  if (state === "done") events.emit({ kind: "completed", waitMs, runMs, id, name, queue, attempt, at });
  if (!error) return;
  const about = { id, name, queue, attempt, at };
  events.emit({ kind: "failed", error, waitMs, runMs, ...about });
  if (state === "retrying" && runAt) events.emit({ kind: "retried", runAt, ...about });
  if (state !== "failed") return;
  log.error({ job: id, name, attempt, code: error.code }, "a job is dead");
  events.emit({ kind: "dead", error, ...about });
}
