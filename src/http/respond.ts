/**
 * The only place where a Response is made, so that no answer lacks the headers that every answer has. They are given to the constructor
 * at once: setting them one by one on a finished Response costs about as much as the rest of a small request.
 */
import { type Facts, factsOf, type HttpContext } from "./facts.ts";

/** OWASP's recommendations for an API (REST Security Cheat Sheet): nothing here is a page, except where a route says so. */
const securityHeaders = {
  "strict-transport-security": "max-age=31536000; includeSubDomains",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "private, no-store",
} as const;

export function respond(
  c: HttpContext,
  status: number,
  body: string | Uint8Array<ArrayBuffer> | ReadableStream | null,
  headers: Record<string, string>,
): Response {
  return new Response(body, { status, headers: allHeaders(factsOf(c), headers) });
}

function allHeaders(facts: Facts, own: Record<string, string>): Record<string, string> {
  return {
    ...securityHeaders,
    "x-request-id": facts.requestId,
    "server-timing": `app;dur=${(performance.now() - facts.startedAt).toFixed(1)}`,
    ...facts.headers,
    ...own,
  };
}
