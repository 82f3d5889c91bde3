/** One attempt: from a claimed job to its outcome. It never throws, and there is an outcome whatever a type, a handler or an error does. */
import { type Clock, fromInstant, toInstant } from "../../core/clock.ts";
import type { Log } from "../log/port.ts";
import type { JobContext, JobHandler } from "./define.ts";
import { readInput } from "./input.ts";
import { createOutcomes, dead, unended } from "./outcome.ts";
import { encode, faultsOf } from "./payload.ts";
import type { ClaimedJob, Outcome } from "./port.ts";
import { faultOf } from "./thrown.ts";
import { createTimeouts } from "./timeouts.ts";

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
  /** With what can be kept. Not called any more once the job was taken away. */
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
  const { done, failed } = createOutcomes({ clock, log, random });
  /** Types that report what is no progress; it is said once of each. */
  const told = new Set<string>();

  function isKept(name: string, value: unknown): boolean {
    const encoded = encode(value);
    if (!("fault" in encoded)) return true;
    if (!told.has(name)) log.warn({ name }, `progress of these jobs is left out: ${encoded.fault}`);
    told.add(name);
    return false;
  }

  return (handler, job, { onProgress, onEnd }) => {
    const { type } = handler;
    /** Made for a handler that asks for it. */
    let controller: AbortController | null = null;
    let why: Stop | null = null;
    /** There is something to give up while an answer is waited for. */
    let giveUp: (() => void) | null = null;
    let isOver = false;
    let clear: (() => void) | null = null;
    const stop = (reason: Stop) => {
      if (why !== null) return;
      why = reason;
      controller?.abort(new Error(messages[reason]));
      giveUp?.();
    };
    const at = clock.now();
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
      get now() {
        return toInstant(clock.now());
      },
      progress(value) {
        if (why === null && isKept(type.name, value)) onProgress(value);
      },
    };

    function ended(value: unknown): Outcome | null {
      if (why !== null) return stopOutcome(why);
      if (!type.result) return done(type, job, null);
      try {
        const result = type.result.safeParse(value);
        if (!result.success) return unfit(`The result is not as declared: ${faultsOf(result.error)}.`);
        const encoded = encode(result.data ?? null);
        return "fault" in encoded
          ? unfit(`The result cannot be kept: ${encoded.fault}.`)
          : done(type, job, encoded.text);
      } catch (error) {
        return threw(error);
      }
    }

    function unfit(message: string): Outcome {
      return failed(type, job, { code: "result", message }, null);
    }

    function threw(error: unknown): Outcome | null {
      // What a handler throws because it was told to end is no fault of its own.
      if (why !== null) return stopOutcome(why);
      log.warn({ err: error, job: job.id, name: job.name, attempt: job.attempt }, "an attempt of a job failed");
      return failed(type, job, faultOf(error), error);
    }

    function unread(fault: unknown): Outcome {
      return failed(type, job, { code: "payload", message: String(fault), isFinal: true }, null);
    }

    function stopOutcome(reason: Stop): Outcome | null {
      if (reason === "cancelled" || reason === "lost") return null;
      if (reason === "stopping") return unended(job);
      return failed(type, job, { code: reason, message: messages[reason], isFinal: reason === "deadline" }, null);
    }

    /** Once. A job without an outcome would stay active for ever, and keep its place here. */
    function over(end: (value: unknown) => Outcome | null, value?: unknown): void {
      if (isOver) return;
      isOver = true;
      clear?.();
      let outcome: Outcome | null;
      try {
        outcome = end(value);
      } catch (err) {
        log.error({ err, job: job.id, name: job.name, attempt: job.attempt }, "a job has no outcome that can be kept");
        outcome = dead(clock, job, {
          code: "error",
          message: `It has no outcome that can be kept: ${faultOf(err).message}`,
        });
      }
      onEnd(outcome);
    }

    /** Only a promise can be given up, so what answers at once needs no timer. */
    function wait(answer: PromiseLike<unknown>): void {
      const left = job.deadlineAt === null ? Number.POSITIVE_INFINITY : fromInstant(job.deadlineAt) - at;
      clear = timeout(Math.min(type.timeoutMs, left, LONGEST_TIMER_MS), () =>
        stop(left < type.timeoutMs ? "deadline" : "timeout"),
      );
      // Whoever stops it goes on first.
      giveUp = () => queueMicrotask(() => over(ended));
      answer.then(
        (value) => over(ended, value),
        (error) => over(threw, error),
      );
    }

    function begin(): void {
      const payload = readInput(type, job);
      if ("fault" in payload) {
        over(unread, payload.fault);
        return;
      }
      let answer: unknown;
      try {
        answer = handler.run(payload.input as never, ctx);
        if (isThenable(answer)) {
          wait(answer);
          return;
        }
      } catch (error) {
        over(threw, error);
        return;
      }
      over(ended, answer);
    }

    begin();
    return { job, stop };
  };
}

const isThenable = (answer: unknown): answer is PromiseLike<unknown> =>
  typeof (answer as { then?: unknown } | null | undefined)?.then === "function";
/** Timers of more than 2^31 ms fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const messages: Record<Stop, string> = {
  timeout: "It took longer than its type allows.",
  deadline: "Its deadline passed.",
  cancelled: "It was cancelled.",
  lost: "Another worker has it.",
  stopping: "The process is stopping.",
};
