import { type AppError, unavailable } from "../core/error.ts";
import { abortOf, type Facts, factsOf } from "./facts.ts";
import type { Step } from "./step.ts";

/**
 * Answers 503 when a request has taken too long, and aborts its signal. Whether a write has happened by then is not known: a client that
 * sent an `Idempotency-Key` may send it again.
 */
export const timeout =
  (ms: number): Step =>
  (c, next) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(giveUp, ms, factsOf(c), reject);
      begin(next).then(
        (answer) => {
          clearTimeout(timer);
          resolve(answer);
        },
        (error) => {
          clearTimeout(timer);
          reject(error);
        },
      );
    });

function giveUp(facts: Facts, reject: (error: AppError) => void): void {
  const error = unavailable("The request took too long.");
  abortOf(facts).abort(error);
  reject(error);
}

/** A fault that a step throws at once is one that it throws later. */
function begin(next: () => Promise<Response>): Promise<Response> {
  try {
    return next();
  } catch (error) {
    return Promise.reject(error);
  }
}
