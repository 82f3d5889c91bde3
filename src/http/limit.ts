/** Rate limits, told by the header fields of draft-ietf-httpapi-ratelimit-headers-10. */
import { AppError } from "../core/error.ts";
import type { Limits, Rule } from "../ports/limits/port.ts";
import { type Facts, factsOf, type HttpContext } from "./facts.ts";
import type { Step } from "./step.ts";

export interface LimitOptions {
  limits: Limits;
  /** The name that the policy is known by to clients. */
  name: string;
  rule: Rule;
  /** Whom the count is kept for. Before authentication, only what is already known of the client can be used. */
  who: (c: HttpContext) => string;
}

export const limit =
  ({ limits, name, rule, who }: LimitOptions): Step =>
  async (c, next) => {
    await count({ limits, name, rule, key: who(c), facts: factsOf(c) });
    return next();
  };

/** Counts one use; throws `too_many_requests` when there is none left. Also for verbs that limit by what they were given. */
export async function count(use: {
  limits: Limits;
  name: string;
  rule: Rule;
  key: string;
  facts?: Facts;
}): Promise<void> {
  const { limits, name, rule, key, facts } = use;
  const { allowed, limit, remaining, resetMs, retryMs } = await limits.hit(`${name}:${key}`, rule);
  const headers = {
    "ratelimit-policy": `"${name}";q=${limit};w=${Math.ceil(rule.windowMs / 1000)}`,
    ratelimit: `"${name}";r=${remaining};t=${Math.ceil(resetMs / 1000)}`,
  };
  if (!allowed) {
    const seconds = Math.max(1, Math.ceil(retryMs / 1000));
    throw new AppError("too_many_requests", { headers: { ...headers, "retry-after": String(seconds) } });
  }
  if (facts) Object.assign(facts.headers, headers);
}
