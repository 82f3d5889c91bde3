import { unavailable } from "../core/error.ts";
import { abortOf, factsOf } from "./facts.ts";
import type { Step } from "./step.ts";

/**
 * Answers 503 when a request has taken too long, and aborts its signal. Whether a write has happened by then is not known: a client that
 * sent an `Idempotency-Key` may send it again.
 */
export const timeout =
  (ms: number): Step =>
  async (c, next) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const error = unavailable("The request took too long.");
        abortOf(factsOf(c)).abort(error);
        reject(error);
      }, ms);
    });
    try {
      return await Promise.race([next(), late]);
    } finally {
      clearTimeout(timer);
    }
  };
