/**
 * The closed list of what can go wrong, as a client sees it (RFC 9457). The status follows from the code, here and nowhere
 * else; `docs/errors.md` is generated from this table and a test fails when the two drift apart.
 */
export const errors = {
  malformed_request: {
    status: 400,
    title: "The request could not be read",
    about:
      "The body is not valid JSON, is not UTF-8, is nested too deeply, or the URL or a header (such as `Host`) is malformed.",
    remedy: "Send one well-formed UTF-8 JSON document whose `Content-Type` is `application/json`.",
  },
  invalid_cursor: {
    status: 400,
    title: "The cursor is not valid here",
    about: "The `cursor` was not issued by this endpoint for this sort order and filter, or it was changed on the way.",
    remedy: "Start again without `cursor`, and pass on `meta.page.next` unchanged.",
  },
  unauthenticated: {
    status: 401,
    title: "Authentication is required",
    about: "No access token was sent, or it is malformed, expired, revoked or not meant for this service.",
    remedy: "Log in, or exchange the refresh token, and send `Authorization: Bearer <accessToken>`.",
  },
  invalid_credentials: {
    status: 401,
    title: "The credentials were not accepted",
    about:
      "The e-mail address and password, or the refresh token, do not match an account or session that may be used.",
    remedy: "Check the input. A refresh token works once: after a refresh, use the new one.",
  },
  forbidden: {
    status: 403,
    title: "This actor may not do that",
    about: "The actor is known, and no rule of its policy allows this action or one of the named fields.",
    remedy: "Ask an administrator for the permission, or leave out what may not be changed.",
  },
  not_found: {
    status: 404,
    title: "There is nothing here",
    about: "The path does not exist, or what it names does not exist for this actor.",
    remedy: "Check the identifier. What an actor may not see is answered the same as what does not exist.",
  },
  method_not_allowed: {
    status: 405,
    title: "The method is not supported here",
    about: "The path exists and answers other methods, which the `Allow` header lists.",
    remedy: "Use one of the methods in `Allow`.",
  },
  conflict: {
    status: 409,
    title: "The change conflicts with the current state",
    about: "A unique value is already taken, or the resource changed while the request was being decided.",
    remedy: "Read the resource again and repeat the change if it still makes sense, or choose another value.",
  },
  precondition_failed: {
    status: 412,
    title: "The resource has changed",
    about: "`If-Match` does not name the current version of the resource. Nothing was changed.",
    remedy: "Read the resource again, and repeat the update with its new `ETag`.",
  },
  payload_too_large: {
    status: 413,
    title: "The request is too large",
    about: "The body is larger than the limit that `detail` names.",
    remedy: "Send less at once.",
  },
  uri_too_long: {
    status: 414,
    title: "The URL is too long",
    about: "The path and query together are longer than 8 KiB.",
    remedy: "Use fewer or shorter query parameters.",
  },
  unsupported_media_type: {
    status: 415,
    title: "The content type is not supported",
    about: "The body's `Content-Type` or `Content-Encoding` is not one that this endpoint reads.",
    remedy: "Send `Content-Type: application/json` and no `Content-Encoding`.",
  },
  invalid_input: {
    status: 422,
    title: "The input is not valid",
    about:
      "The request was read, and some of its values do not fit the schema. `errors` names each with a JSON pointer.",
    remedy: "Correct the values that `errors` points at.",
  },
  idempotency_key_reused: {
    status: 422,
    title: "The idempotency key belongs to another request",
    about: "This actor sent the same `Idempotency-Key` with another method, path or body within 24 hours.",
    remedy: "Use a new key for a new request; repeat a request unchanged to get its stored answer.",
  },
  too_many_requests: {
    status: 429,
    title: "Too many requests",
    about: "A limit is used up. The `RateLimit` header and `Retry-After` say which, and when it opens again.",
    remedy: "Wait for `Retry-After` seconds.",
  },
  internal: {
    status: 500,
    title: "Something went wrong on our side",
    about: "An unexpected fault. Its cause is logged under the request id and is not told to clients.",
    remedy: "Retry later, and quote `requestId` to the operator if it persists.",
  },
  unavailable: {
    status: 503,
    title: "The service cannot answer right now",
    about:
      "The database or another dependency does not answer, the server is starting or stopping, or the request timed out.",
    remedy: "Retry after `Retry-After` seconds. With an `Idempotency-Key` a write is safe to send again.",
  },
} as const;

export type ErrorCode = keyof typeof errors;

/** One fault of the input: where it is (RFC 6901 pointer into that part of the request) and what was expected. */
export interface InputFault {
  in: "body" | "query" | "path" | "header";
  pointer: string;
  detail: string;
}

interface AppErrorOptions {
  /** Public: shown to the client. Never put a private value here. */
  detail?: string;
  errors?: InputFault[];
  headers?: Record<string, string>;
  /** Private: logged with the request id, never sent. */
  cause?: unknown;
  /** Why it was decided so, line by line; asked for in development alone. */
  explain?: () => string[];
}

/** The only error that a client learns anything from. Everything else becomes `internal`. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly errors: InputFault[] | undefined;
  readonly headers: Record<string, string> | undefined;
  readonly explain: (() => string[]) | undefined;

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super(options.detail ?? errors[code].about, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.errors = options.errors;
    this.headers = options.headers;
    this.explain = options.explain;
  }

  get status(): number {
    return errors[this.code].status;
  }
}

/** `unavailable` passes by itself: whoever can wait tries again. */
export const hasCode = (error: unknown, code: ErrorCode): error is AppError =>
  error instanceof AppError && error.code === code;

/** 503 with the `Retry-After` that RFC 9110 (15.6.4) asks for. */
export const unavailable = (detail: string, cause?: unknown, retryAfter = 2) =>
  new AppError("unavailable", { detail, cause, headers: { "retry-after": String(retryAfter) } });
