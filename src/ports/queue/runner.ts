/** One attempt: from a claimed job to its outcome. It never throws. */
import { type Clock, fromInstant, type Instant, toInstant } from "../../core/clock.ts";
import type { Log } from "../log/port.ts";
import { pauseAfter } from "./backoff.ts";
import type { JobContext, JobHandler, JobType } from "./define.ts";
import { encode, faultsOf } from "./payload.ts";
import type { ClaimedJob, JobError, Outcome } from "./port.ts";
import { createTimeouts } from "./timeouts.ts";

/** How long dead jobs are kept. */
export const KEEP_DEAD_MS = 30 * 24 * 3_600_000;
/** How long those of schedules are kept at least: their end has to be written down with the run. */
const KEEP_SCHEDULED_MS = 3_600_000;

/** Why a job is taken away from its handler. */
export type Stop = "timeout" | "deadline" | "cancelled" | "lost" | "stopping";

interface RunnerOptions {
  clock: Clock;
  log: Log;
  /** From 0 up to 1; how much of a pause is waited. */
  random?: () => number;
}

export interface Run {
  job: ClaimedJob;
  stop(why: Stop): void;
}

export interface RunHooks {
  /** Not called any more once the job was taken away. */
  onProgress(value: unknown): void;
  /**
   * Called once: when the handler has ended, or is not waited for any longer. Before the run is returned, where the handler answered no promise.
   * null: the job is no longer ours to settle.
   */
  onEnd(outcome: Outcome | null): void;
}

export type Runner = (handler: JobHandler, job: ClaimedJob, hooks: RunHooks) => Run;

const SYSTEM = { type: "system", id: "queue" } as const;

export function createRunner({ clock, log, random = Math.random }: RunnerOptions): Runner {
  const timeout = createTimeouts();

  return (handler, job, { onProgress, onEnd }) => {
    const { type } = handler;
    /** Made for a handler that asks for it. */
    let controller: AbortController | null = null;
    let why: Stop | null = null;
    /** There is something to give up while an answer is waited for. */
    let giveUp: (() => void) | null = null;
    const stop = (reason: Stop) => {
      if (why !== null) return;
      why = reason;
      controller?.abort(new Error(messages[reason]));
      giveUp?.();
    };
    const at = clock.now();
    const now = toInstant(at);
    const ctx: JobContext = {
      jobId: job.id,
      attempt: job.attempt,
      actor: job.actor ?? SYSTEM,
      traceId: job.traceId,
      requestId: job.requestId,
      get signal() {
        if (controller === null) {
          controller = new AbortController();
          if (why !== null) controller.abort(new Error(messages[why]));
        }
        return controller.signal;
      },
      now,
      progress(value) {
        if (why === null) onProgress(value);
      },
    };
    const done = (result: string | null): Outcome => {
      const keepMs = job.scheduleName === null ? type.keepMs : Math.max(type.keepMs, KEEP_SCHEDULED_MS);
      const purgeAt = later(clock, keepMs);
      return { ...ids(job), state: "done", result, error: null, runAt: null, purgeAt, drop: keepMs === 0 };
    };
    const failed = (code: string, message: string, error: unknown): Outcome => {
      const fault: JobError = { code, message: clean(message), attempt: job.attempt };
      const final = (error as { retryable?: unknown } | null)?.retryable === false || FINAL.has(code);
      const pause = final || job.attempt >= job.maxAttempts ? null : pauseAfter(type.retry, job.attempt, error, random);
      const next = pause === null ? null : later(clock, pause);
      // Another attempt after the deadline would never start.
      if (next === null || (job.deadlineAt !== null && next >= job.deadlineAt)) return dead(clock, job, fault);
      return { ...ids(job), state: "retrying", result: null, error: fault, runAt: next, purgeAt: null };
    };

    function ended(value: unknown): Outcome | null {
      if (why !== null) return stopOutcome(why);
      if (!type.result) return done(null);
      try {
        const result = type.result.safeParse(value);
        if (!result.success) return failed("result", `The result is not as declared: ${faultsOf(result.error)}.`, null);
        const encoded = encode(result.data ?? null);
        return "fault" in encoded
          ? failed("result", `The result cannot be kept: ${encoded.fault}.`, null)
          : done(encoded.text);
      } catch (error) {
        return threw(error);
      }
    }

    function threw(error: unknown): Outcome | null {
      // What a handler throws because it was told to end is no fault of its own.
      if (why !== null) return stopOutcome(why);
      log.warn({ err: error, job: job.id, name: job.name, attempt: job.attempt }, "an attempt of a job failed");
      return failed(codeOf(error), messageOf(error), error);
    }

    function stopOutcome(reason: Stop): Outcome | null {
      if (reason === "cancelled" || reason === "lost") return null;
      if (reason === "stopping")
        return { ...ids(job), state: "waiting", result: null, error: null, runAt: null, purgeAt: null };
      return failed(reason, messages[reason], null);
    }

    /** Only a promise can be given up, so what answers at once needs no timer. */
    function wait(answer: PromiseLike<unknown>): void {
      let isOver = false;
      const left = job.deadlineAt === null ? Number.POSITIVE_INFINITY : fromInstant(job.deadlineAt) - at;
      const clear = timeout(Math.min(type.timeoutMs, left, LONGEST_TIMER_MS), () =>
        stop(left < type.timeoutMs ? "deadline" : "timeout"),
      );
      const over = (outcome: (value: unknown) => Outcome | null) => (value: unknown) => {
        if (isOver) return;
        isOver = true;
        clear();
        onEnd(outcome(value));
      };
      // Whoever stops it goes on first.
      giveUp = () => queueMicrotask(() => over(ended)(undefined));
      answer.then(over(ended), over(threw));
    }

    function begin(): void {
      const payload = read(type, job);
      let outcome: Outcome | null;
      if ("fault" in payload) outcome = failed("payload", payload.fault, null);
      else {
        try {
          const answer: unknown = handler.run(payload.input as never, ctx);
          if (isThenable(answer)) {
            wait(answer);
            return;
          }
          outcome = ended(answer);
        } catch (error) {
          outcome = threw(error);
        }
      }
      onEnd(outcome);
    }

    begin();
    return { job, stop };
  };
}

const isThenable = (answer: unknown): answer is PromiseLike<unknown> =>
  typeof (answer as { then?: unknown } | null | undefined)?.then === "function";
/** Timers of more than 2^31 ms fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** No further attempt would end otherwise. */
const FINAL: ReadonlySet<string> = new Set(["payload", "deadline"]);

const messages: Record<Stop, string> = {
  timeout: "It took longer than its type allows.",
  deadline: "Its deadline passed.",
  cancelled: "It was cancelled.",
  lost: "Another worker has it.",
  stopping: "The process is stopping.",
};

const ids = ({ id, attempt, place }: ClaimedJob) => ({ id, attempt, place });
/** Jobs that end in one millisecond are kept until one instant, which is printed once. */
function later(clock: Clock, ms: number): Instant {
  const at = clock.now() + ms;
  if (at !== last.at) last = { at, text: toInstant(at) };
  return last.text;
}
let last = { at: Number.NaN, text: "" };

export const dead = (clock: Clock, job: Pick<ClaimedJob, "id" | "attempt">, error: JobError): Outcome => ({
  id: job.id,
  attempt: job.attempt,
  state: "failed",
  result: null,
  error,
  runAt: null,
  purgeAt: later(clock, KEEP_DEAD_MS),
});

/** The input as the handler of today takes it. */
function read(type: JobType, job: ClaimedJob): { input: unknown } | { fault: string } {
  const { inputVersion: version } = job;
  if (version > type.version)
    return { fault: `It was enqueued with version ${version} of its input, and this process knows ${type.version}.` };
  let input = job.input;
  if (version < type.version) {
    try {
      input = type.migrate?.(input, version);
    } catch (error) {
      return { fault: `Its input of version ${version} could not be migrated to ${type.version}: ${messageOf(error)}` };
    }
  }
  const parsed = type.input.safeParse(input);
  return parsed.success
    ? { input: parsed.data }
    : {
        fault: `Its input${version < type.version ? `, migrated from version ${version},` : ""} is not as declared: ${faultsOf(parsed.error)}.`,
      };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const codeOf = (error: unknown): string => {
  const code =
    (error as { name?: unknown; code?: unknown } | null)?.name === "AppError"
      ? (error as { code: unknown }).code
      : null;
  return typeof code === "string" ? code : "error";
};
/** What the record can hold, and an operator would read. */
const clean = (message: string): string => message.replaceAll("\0", "").slice(0, 2000).toWellFormed();
