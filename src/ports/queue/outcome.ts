/** What an attempt has come to, as the record takes it. */
import { type Clock, type Instant, toInstant } from "../../core/clock.ts";
import type { Log } from "../log/port.ts";
import { pauseAfter } from "./backoff.ts";
import type { JobType } from "./define.ts";
import { KEEP_DEAD_MS, KEEP_SCHEDULED_MS } from "./keep.ts";
import type { ClaimedJob, JobError, Outcome } from "./port.ts";
import { clean } from "./thrown.ts";

interface OutcomesOptions {
  clock: Clock;
  log: Log;
  random: () => number;
}

interface Fault {
  code: string;
  message: string;
  /** No further attempt would end otherwise. */
  isFinal?: boolean;
}

export function createOutcomes({ clock, log, random }: OutcomesOptions) {
  return {
    /** `result` is JSON. */
    done({ keepMs }: JobType, job: ClaimedJob, result: string | null): Outcome {
      const ms = job.scheduleName === null ? keepMs : Math.max(keepMs, KEEP_SCHEDULED_MS);
      const purgeAt = until(clock, ms);
      return { ...attemptOf(job), state: "done", result, error: null, runAt: null, purgeAt, drop: ms === 0 };
    },
    /** It is tried again, or is dead. `error` is what was thrown, for the type's own pause. */
    failed({ retry }: JobType, job: ClaimedJob, fault: Fault, error: unknown): Outcome {
      const isLast = fault.isFinal || job.attempt >= job.maxAttempts;
      const unsaid = (err: unknown) =>
        log.warn({ err, job: job.id, name: job.name }, "delayMs of a type said no pause: it is as where there is none");
      const pause = isLast ? null : pauseAfter(retry, job.attempt, error, random, unsaid);
      const next = pause === null ? null : until(clock, pause);
      // Another attempt after the deadline would never start.
      if (next === null || (job.deadlineAt !== null && next >= job.deadlineAt)) return dead(clock, job, fault);
      return again(job, fault, next);
    },
  };
}

/** Another attempt at this time. */
export const again = (job: Attempt, fault: Fault, runAt: Instant): Outcome => ({
  ...attemptOf(job),
  state: "retrying",
  result: null,
  error: errorOf(job, fault),
  runAt,
  purgeAt: null,
});

export const dead = (clock: Clock, job: Attempt, fault: Fault): Outcome => ({
  ...attemptOf(job),
  state: "failed",
  result: null,
  error: errorOf(job, fault),
  runAt: null,
  purgeAt: until(clock, KEEP_DEAD_MS),
});

/** The attempt was not made, or not to its end: the job goes back, and the attempt is not counted. */
export const unended = (job: Attempt): Outcome => ({
  ...attemptOf(job),
  state: "waiting",
  result: null,
  error: null,
  runAt: null,
  purgeAt: null,
});

type Attempt = Pick<ClaimedJob, "id" | "attempt"> & { place?: string | null };
const attemptOf = ({ id, attempt, place = null }: Attempt) => ({ id, attempt, place });
const errorOf = ({ attempt }: Attempt, { code, message }: Fault): JobError => ({
  code,
  message: clean(message),
  attempt,
});

/** Jobs that end in one millisecond are kept until one instant, which is printed once. */
function until(clock: Clock, ms: number): Instant {
  const at = Math.min(clock.now() + ms, LATEST);
  if (at !== last.at) last = { at, text: toInstant(at) };
  return last.text;
}
let last = { at: Number.NaN, text: "" };
/** Instants are compared by their text, and those of later years have another form. */
const LATEST = Date.UTC(9999, 11, 31);
