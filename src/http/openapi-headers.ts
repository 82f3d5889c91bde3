/** The headers that requests and answers have, as components of the OpenAPI document. */
import type { Components, Json, Ref } from "./openapi-schemas.ts";

const text = (maxLength: number, pattern: string): Json => ({ type: "string", maxLength, pattern });
const seconds = { type: "integer", format: "int32", minimum: 0, maximum: 86_400 };

/** Every header of an answer that the document can name. */
const answerHeaders = {
  "X-Request-Id": {
    description: "The id of this request: the caller's own if it sent one, else a new one. It is in the log.",
    required: true,
    schema: text(128, "^[\\w.:@-]+$"),
    example: "0b0bd8ad-3e54-4b2f-9f6e-0a3f6d2f7c11",
  },
  RateLimit: {
    description:
      "What is left (`r`) of the limit that this request counts against, and the seconds until all of it is there again (`t`). Absent when the request counts against none. draft-ietf-httpapi-ratelimit-headers-10.",
    schema: text(200, '^"[\\w-]+";r=\\d+;t=\\d+$'),
    example: '"api";r=299;t=60',
  },
  "RateLimit-Policy": {
    description: "The limit: how many requests (`q`) in how many seconds (`w`).",
    schema: text(200, '^"[\\w-]+";q=\\d+;w=\\d+$'),
    example: '"api";q=300;w=60',
  },
  "Retry-After": { description: "Seconds after which to try again.", schema: seconds, required: true, example: 2 },
  "Access-Control-Allow-Origin": {
    description: "The origin that asks, when it is one of those that are configured.",
    schema: text(300, "^https?://[^/\\s]+$"),
    example: "https://app.example.com",
  },
  ETag: {
    description: "Of this representation: for `If-None-Match`, and where it is strong for `If-Match`.",
    required: true,
    schema: text(100, '^(?:W/)?"[!#-~]*"$'),
    example: '"1"',
  },
  "Cache-Control": {
    description: "Who may keep this answer, and for how long.",
    required: true,
    schema: text(100, "^(?:public|private), (?:no-cache|max-age=\\d+)$"),
    example: "public, max-age=300",
  },
  Age: { description: "Seconds since the answer was made.", schema: seconds, example: 7 },
  Location: {
    description: "The path of what was made.",
    required: true,
    schema: { type: "string", format: "uri-reference", maxLength: 300 },
    example: "/v1/users/user_01kfyb0m7ve4z9q2x8c5h3n6t1",
  },
  "Idempotent-Replayed": {
    description: "`true` when this is the stored answer to an earlier request with the same `Idempotency-Key`.",
    schema: { type: "string", enum: ["true"] },
    example: "true",
  },
  "WWW-Authenticate": {
    description: "How to authenticate (RFC 6750).",
    required: true,
    schema: text(200, '^Bearer realm="[^"]*"(?:, error="[a-z_]+")?$'),
    example: 'Bearer realm="hearth"',
  },
} as const satisfies Record<string, Json>;

export type AnswerHeader = keyof typeof answerHeaders;

const always: readonly AnswerHeader[] = [
  "X-Request-Id",
  "RateLimit",
  "RateLimit-Policy",
  "Access-Control-Allow-Origin",
];

/** The headers of one answer: those that every answer has, and these. */
export const headersWith = (parts: Components, own: readonly AnswerHeader[]): Record<string, Ref> =>
  Object.fromEntries([...always, ...own].map((name) => [name, parts.use("headers", name, () => answerHeaders[name])]));

const tags = '^(?:\\*|(?:W/)?"[^"]*"(?:\\s*,\\s*(?:W/)?"[^"]*")*)$';

/**
 * What a request may carry beyond its path, query and body. Without examples: the reference page would send them with every request that is
 * tried out, and with the example's tag or key a request is answered quite differently.
 */
const requestHeaders = {
  IdempotencyKey: {
    name: "Idempotency-Key",
    in: "header",
    description:
      "Makes the request safe to send again: within 24 hours the same key is answered with the stored answer of the first request that succeeded. A new random key for each new request.",
    schema: { type: "string", minLength: 1, maxLength: 255, pattern: "^[!-~]+$" },
  },
  IfMatch: {
    name: "If-Match",
    in: "header",
    description: "The `ETag` that the change is meant for. If the resource has changed since, nothing is done (412).",
    schema: text(1000, tags),
  },
  IfNoneMatch: {
    name: "If-None-Match",
    in: "header",
    description: "The `ETag` of what the client has. If it is still current, the answer is 304 and has no body.",
    schema: text(1000, tags),
  },
  AuditReason: {
    name: "X-Audit-Reason",
    in: "header",
    description:
      "Why this is done, for the audit trail: at most 500 characters, those beyond ASCII percent-encoded (RFC 3986).",
    schema: text(4500, "^[ -~]*$"),
  },
} as const satisfies Record<string, Json>;

export const requestHeader = (parts: Components, name: keyof typeof requestHeaders): Ref =>
  parts.use("parameters", name, () => requestHeaders[name]);
