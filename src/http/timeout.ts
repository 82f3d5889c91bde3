import { unavailable } from "../core/error.ts";
import { abortOf, factsOf } from "./facts.ts";
import type { Step } from "./step.ts";

/**
 * Answers 503 when a request has taken too long, and aborts its signal. Whether a write has happened by then is not known: a client that
 * sent an `Idempotency-Key` may send it again.
 */
export const timeout =
  (ms: number): Step =>
  (c, next) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const error = unavailable("The request took too long.");
        abortOf(factsOf(c)).abort(error);
        reject(error);
      }, ms);
      const end =
        <T>(settle: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          settle(value);
        };
      try {
        next().then(end(resolve), end(reject));
      } catch (error) {
        end(reject)(error);
      }
    });
