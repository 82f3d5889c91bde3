/** What jobs were given and have answered, as people are shown it: by the same rules as the log, so that what is secret there is secret here. */
import { isSecretName, REDACTED, scrub } from "../../ports/log/redact.ts";
import type { Job } from "../../ports/queue/port.ts";

/** A payload may be a megabyte of brackets. */
const MAX_DEPTH = 32;

export function redactJob<J extends Partial<Job>>(job: J): J {
  const shown = { ...job };
  for (const name of ["input", "progress", "result"] as const) if (name in shown) shown[name] = redact(shown[name]);
  if (shown.error) shown.error = { ...shown.error, message: scrub(shown.error.message) };
  for (const name of ["uniqueKey", "groupKey"] as const) if (shown[name]) shown[name] = scrub(shown[name]);
  return shown;
}

function redact(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return scrub(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= MAX_DEPTH) return "[deeper]";
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  const entries = Object.entries(value).map(([name, inner]): [string, unknown] => {
    // Whether there is one is no secret.
    const open = inner === null || typeof inner === "boolean";
    return [name, !open && isSecretName(name) ? REDACTED : redact(inner, depth + 1)];
  });
  return Object.fromEntries(entries);
}
