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
    const answer = complete(c, c.res);
    if (answer !== c.res) {
      // Hono would merge the headers of the answer that is replaced.
      c.res = undefined;
      c.res = answer;
    }
    const { requestId, traceId, actor, route, startedAt } = factsOf(c);
    log.request({
      requestId,
      traceId,
      actor: actorId(actor),
      method: c.req.method,
      route,
      status: answer.status,
      ms: Math.round((performance.now() - startedAt) * 100) / 100,
    });
  };
