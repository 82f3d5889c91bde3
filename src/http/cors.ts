/** Cross-origin requests (the Fetch standard, 3.2): from exactly the configured origins, or from none. */
import { factsOf } from "./facts.ts";
import { respond } from "./respond.ts";
import type { Step } from "./step.ts";

const EXPOSED =
  "etag, location, retry-after, x-request-id, ratelimit, ratelimit-policy, idempotent-replayed, server-timing";
const ALLOWED =
  "authorization, content-type, idempotency-key, if-match, if-none-match, x-audit-reason, x-request-id, traceparent";
const MAX_AGE_S = 600;

export interface CorsOptions {
  origins: readonly string[];
  allowed: (path: string) => string[];
}

export const cors = ({ origins, allowed }: CorsOptions): Step => {
  const known = new Set(origins);
  return (c, next) => {
    const origin = c.req.raw.headers.get("origin");
    const asks = c.req.method === "OPTIONS";
    const { headers } = factsOf(c);
    if (known.size > 0) headers.vary = "Origin";
    if (origin !== null && known.has(origin)) {
      headers["access-control-allow-origin"] = origin;
      headers["access-control-expose-headers"] = EXPOSED;
      headers["cross-origin-resource-policy"] = "cross-origin";
    }
    if (!asks) return next();

    const methods = allowed(c.req.path);
    if (methods.length === 0) return next();
    const preflight = origin !== null && known.has(origin) && c.req.raw.headers.has("access-control-request-method");
    const answer = preflight
      ? {
          "access-control-allow-methods": methods.join(", "),
          "access-control-allow-headers": ALLOWED,
          "access-control-max-age": String(MAX_AGE_S),
        }
      : {};
    return Promise.resolve(respond(c, 204, null, { allow: methods.join(", "), ...answer }));
  };
};
