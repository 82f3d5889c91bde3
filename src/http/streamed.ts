/**
 * The end of the pipeline for a route that answers a stream of text, in place of answer.ts. The first part is made before the status is sent,
 * so that what fails at once is a problem document; what fails later breaks the answer off, which the client sees as an incomplete one.
 * A part is made when the one before it has been taken, so memory does not grow with the answer.
 */
import type { Log } from "../ports/log/port.ts";
import { contextOf } from "./answer.ts";
import { factsOf } from "./facts.ts";
import { respond } from "./respond.ts";
import type { Route } from "./route.ts";
import type { Shaper } from "./shape.ts";
import type { Step } from "./step.ts";

export function streamed(route: Route, type: string, shape: Shaper, log: Log): Step {
  return async (c) => {
    const { params, list } = c.get("input");
    const ctx = contextOf(c, shape, true);
    const call = { ctx, params, body: undefined, list, ifMatch: null };
    const parts = ((await route.handler(call as never)) as AsyncIterable<string>)[Symbol.asyncIterator]();
    const first = await parts.next();
    if (c.req.method === "HEAD") {
      await parts.return?.();
      return respond(c, 200, null, { "content-type": type });
    }
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    // Within the request, and not when the runtime asks for more: on Workers the database is that of the request.
    const done = pump(first, parts, writable.getWriter()).catch((err) => {
      const { requestId, traceId } = factsOf(c);
      log.warn({ err, requestId, traceId, route: route.path }, "an answer broke off");
    });
    c.env?.background?.(done);
    return respond(c, 200, readable, { "content-type": type });
  };
}

/** Rejects when a part cannot be made; a client that has gone is no fault. */
async function pump(
  first: IteratorResult<string, unknown>,
  parts: AsyncIterator<string>,
  writer: WritableStreamDefaultWriter<Uint8Array>,
): Promise<void> {
  const encoder = new TextEncoder();
  let isGone = false;
  const gone = () => {
    isGone = true;
  };
  try {
    for (let part = first; !part.done && !isGone; part = await parts.next())
      await writer.write(encoder.encode(part.value)).catch(gone);
    await (isGone ? parts.return?.() : writer.close().catch(gone));
  } catch (error) {
    await writer.abort(error).catch(gone);
    throw error;
  }
}
