import { AppError, unavailable } from "../core/error.ts";
import { assertLength } from "./body.ts";
import type { Step } from "./step.ts";

const MAX_URL = 8192;
const HOST = /^(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;

/** Refuses what no route should have to look at: an overlong URL, a body over the limit, no host name or several (RFC 9112, 3.2). */
export const guard =
  ({ bodyLimit }: { bodyLimit: number }): Step =>
  (c, next) => {
    if (c.req.raw.url.length > MAX_URL) throw new AppError("uri_too_long");
    const host = c.req.raw.headers.get("host");
    if (host !== null && !HOST.test(host)) {
      throw new AppError("malformed_request", { detail: "The Host header is not one host name." });
    }
    assertLength(c, bodyLimit);
    return next();
  };

/** Refuses work until the database is migrated. Probes are answered all the while. */
export const started =
  (lifecycle: { phase: string }): Step =>
  (_, next) => {
    if (lifecycle.phase === "starting") throw unavailable("The server is starting.");
    return next();
  };
