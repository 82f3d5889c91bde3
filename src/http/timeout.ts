import type { MiddlewareHandler } from "hono";
import { unavailable } from "../core/error.ts";
import { type AppEnv, abortOf, factsOf } from "./facts.ts";

/**
 * Answers 503 when a request has taken too long, and aborts its signal. Whether a write has happened by then is not known: a client that
 * sent an `Idempotency-Key` may send it again.
 */
export const timeout =
  (ms: number): MiddlewareHandler<AppEnv> =>
  (c, next) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        const error = unavailable("The request took too long.");
        abortOf(factsOf(c)).abort(error);
        reject(error);
      }, ms);
      const end = (settle: () => void) => {
        clearTimeout(timer);
        settle();
      };
      next().then(
        () => end(resolve),
        (error) => end(() => reject(error)),
      );
    });
