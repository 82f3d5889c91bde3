/** RFC 9457 problem documents, and the one handler that every fault ends in. */
import type { ErrorHandler, NotFoundHandler } from "hono";
import { AppError, errors, type InputFault } from "../core/error.ts";
import type { Log } from "../ports/log/port.ts";
import { type AppEnv, factsOf, type HttpContext } from "./facts.ts";
import { respond } from "./respond.ts";

export const PROBLEM_TYPE = "application/problem+json";

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  requestId: string;
  errors?: InputFault[];
}

export interface ProblemOptions {
  /** What `type` begins with: the address of the page that explains the codes. */
  typeBase: string;
  log: Log;
}

function problem(c: HttpContext, error: AppError, typeBase: string): Response {
  const { status, title } = errors[error.code];
  const document: Problem = {
    type: `${typeBase}#${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    requestId: factsOf(c).requestId,
    ...(error.errors && { errors: error.errors }),
  };
  const challenge = status === 401 ? { "www-authenticate": challengeOf(c) } : undefined;
  return respond(c, status, JSON.stringify(document), { ...challenge, ...error.headers, "content-type": PROBLEM_TYPE });
}

/** RFC 6750, 3: an error code only for a request that had credentials. */
const challengeOf = (c: HttpContext): string =>
  c.req.raw.headers.has("authorization") ? 'Bearer realm="hearth", error="invalid_token"' : 'Bearer realm="hearth"';

/** Public text for the client, the private cause for the log, both under the request id. */
export const onFault =
  ({ typeBase, log }: ProblemOptions): ErrorHandler<AppEnv> =>
  (fault, c) => {
    const error = fault instanceof AppError ? fault : new AppError("internal", { cause: fault });
    if (error.status >= 500) {
      const { requestId, traceId, route } = factsOf(c);
      const fields = {
        requestId,
        traceId,
        route,
        code: error.code,
        ...(error.cause !== undefined && { err: error.cause }),
      };
      // What is away comes back, and often has a known reason; a fault of ours has to be looked at.
      if (error.code === "internal") log.error(fields, "request failed");
      else log.warn(fields, error.message);
    }
    return problem(c, error, typeBase);
  };

/** 405 with `Allow` where the path answers other methods, 404 otherwise. */
export const onMissing =
  ({ typeBase, allowed }: { typeBase: string; allowed: (path: string) => string[] }): NotFoundHandler<AppEnv> =>
  (c) => {
    const methods = allowed(c.req.path);
    const error =
      methods.length > 0
        ? new AppError("method_not_allowed", { headers: { allow: methods.join(", ") } })
        : new AppError("not_found", { detail: "There is no such path." });
    return problem(c, error, typeBase);
  };
