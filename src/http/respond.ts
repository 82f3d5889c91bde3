/**
 * The only place where a Response is made, so that no answer lacks the headers that every answer has. They are given to the constructor
 * at once: setting them one by one on a finished Response costs about as much as the rest of a small request.
 */
import { type Facts, factsOf, type HttpContext } from "./facts.ts";

export function respond(
  c: HttpContext,
  status: number,
  body: string | Uint8Array<ArrayBuffer> | ReadableStream | null,
  headers: Record<string, string>,
): Response {
  const all = allHeaders(factsOf(c), headers);
  // Its body is left out later, and Bun would then say that there is none (RFC 9110, 8.6).
  if (c.req.method === "HEAD" && body !== null && !(body instanceof ReadableStream))
    all["content-length"] = lengthOf(body);
  return new Response(body, { status, headers: all });
}

const lengthOf = (body: string | Uint8Array) =>
  String(typeof body === "string" ? new TextEncoder().encode(body).length : body.length);

/**
 * After OWASP's recommendations for an API (REST Security Cheat Sheet): nothing here is a page, except where a route says so. Written as one
 * literal, which is made in half the time that spreading takes.
 */
function allHeaders(facts: Facts, own: Record<string, string>): Record<string, string> {
  const headers: Record<string, string> = {
    "strict-transport-security": "max-age=31536000; includeSubDomains",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, no-store",
    "x-request-id": facts.requestId,
    "server-timing": `app;dur=${Math.round((performance.now() - facts.startedAt) * 10) / 10}`,
  };
  for (const name in facts.headers) headers[name] = facts.headers[name] as string;
  for (const name in own) headers[name] = own[name] as string;
  return headers;
}
