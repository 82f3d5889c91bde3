/** Who gives a command is not known: it is the system that acts. */
import { systemClock, toInstant } from "../src/core/clock.ts";
import { type Context, inward } from "../src/policy/context.ts";
import { abilities } from "../src/rules.ts";

export function commandContext(told: { reason: string | undefined; userAgent?: string }): Context {
  const actor = { type: "system", id: "command" } as const;
  const now = toInstant(systemClock.now());
  return inward(
    { requestId: null, traceId: null, now, signal: new AbortController().signal },
    { actor, ability: abilities.abilityFor(actor), ...told, reason: told.reason ?? null },
  );
}
