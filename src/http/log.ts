import type { MiddlewareHandler } from "hono";
import { actorId } from "../core/actor.ts";
import type { Log } from "../ports/log/port.ts";
import { type AppEnv, factsOf } from "./facts.ts";
import { complete } from "./respond.ts";

/** One line a request, after its answer is made. It holds the route's template and never the path, which may hold personal data. */
export const logRequests =
  (log: Log): MiddlewareHandler<AppEnv> =>
  async (c, next) => {
    await next();
    c.res = complete(c, c.res);
    const { requestId, traceId, parentSpan, address, actor, route, startedAt } = factsOf(c);
    log.info(
      {
        requestId,
        traceId,
        ...(parentSpan && { parentSpan }),
        address,
        actor: actorId(actor) ?? actor.type,
        method: c.req.method,
        route,
        status: c.res.status,
        ms: Math.round((performance.now() - startedAt) * 100) / 100,
      },
      "request",
    );
  };
