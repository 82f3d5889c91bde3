import { actorId } from "../core/actor.ts";
import type { Log } from "../ports/log/port.ts";
import { factsOf } from "./facts.ts";
import type { Step } from "./step.ts";

/** One line a request, after its answer is made. It holds the route's template and never the path, which may hold personal data. */
export const logRequests =
  (log: Log): Step =>
  async (c, next) => {
    const answer = await next();
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
    return answer;
  };
