import type { MiddlewareHandler } from "hono";
import { unavailable } from "../core/error.ts";
import { type AppEnv, factsOf } from "./facts.ts";

/**
 * Answers 503 when a request has taken too long, and aborts its signal. Whether a write has happened by then is not known: a client that
 * sent an `Idempotency-Key` may send it again.
 */
export const timeout =
  (ms: number): MiddlewareHandler<AppEnv> =>
  async (c, next) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const error = unavailable("The request took too long.");
        factsOf(c).abort.abort(error);
        reject(error);
      }, ms);
    });
    try {
      await Promise.race([next(), late]);
    } finally {
      clearTimeout(timer);
    }
  };
