import type { Context } from "../policy/context.ts";
import { contextOf } from "./answer.ts";
import type { Route } from "./route.ts";
import type { Shaper } from "./shape.ts";
import type { Step } from "./step.ts";

/** Writes into the audit trail that something was read. Implemented by modules/audit. */
export type NoteRead = (ctx: Context, action: string, entity: { type: string; id: string }) => Promise<void>;

/**
 * For a read that the audit trail is to know of (`audit` of its declaration): it is noted once it has succeeded and before it is answered, so
 * nobody has the answer without its entry.
 */
export function noted(route: Route, action: string, shape: Shaper, note: NoteRead): Step {
  if (route.method !== "get" || typeof route.access === "string" || route.cache)
    throw new Error(
      `the route ${route.id}: only a read that needs a permission and is not cached is noted; a verb notes its own change`,
    );
  const [, type] = route.access;
  return async (c, next) => {
    const answer = await next();
    if (!answer.ok) return answer;
    const { params } = c.get("input");
    const { id } = (params ?? {}) as { id?: string };
    try {
      await note(contextOf(c, shape, true), action, { type, id: id ?? "*" });
    } catch (error) {
      await answer.body?.cancel();
      throw error;
    }
    return answer;
  };
}
