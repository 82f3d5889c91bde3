/** RFC 9457 problem documents, and the one handler that every fault ends in. */
import { AppError, errors, type InputFault } from "../core/error.ts";
import type { Log } from "../ports/log/port.ts";
import { factsOf, type HttpContext } from "./facts.ts";
import { respond } from "./respond.ts";
import type { Step } from "./step.ts";

export const PROBLEM_TYPE = "application/problem+json";

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  requestId: string;
  errors?: InputFault[];
  explain?: string[];
}

export interface ProblemOptions {
  /** What `type` begins with: the address of the page that explains the codes. */
  typeBase: string;
  log: Log;
  /** Whether a decision of the policy is explained: in development. It tells rules, which are nobody's business elsewhere. */
  explains: boolean;
}

const MAX_LINES = 100;

function problem(c: HttpContext, error: AppError, { typeBase, explains }: ProblemOptions): Response {
  const { status, title } = errors[error.code];
  const document: Problem = {
    type: `${typeBase}#${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    requestId: factsOf(c).requestId,
    ...(error.errors && { errors: error.errors }),
    ...(explains && error.explain && { explain: error.explain().slice(0, MAX_LINES) }),
  };
  const challenge = status === 401 ? { "www-authenticate": challengeOf(c) } : undefined;
  return respond(c, status, JSON.stringify(document), { ...challenge, ...error.headers, "content-type": PROBLEM_TYPE });
}

/** RFC 6750, 3: an error code only for a request that had credentials. */
const challengeOf = (c: HttpContext): string =>
  c.req.raw.headers.has("authorization") ? 'Bearer realm="hearth", error="invalid_token"' : 'Bearer realm="hearth"';

/** Every fault of the steps after it becomes its answer: public text for the client, the private cause for the log, both with the request id. */
export const faults =
  (options: ProblemOptions): Step =>
  async (c, next) => {
    try {
      return await next();
    } catch (fault) {
      const error = fault instanceof AppError ? fault : new AppError("internal", { cause: fault });
      if (error.status >= 500) report(c, error, options.log);
      return problem(c, error, options);
    }
  };

function report(c: HttpContext, { code, message, cause }: AppError, log: Log): void {
  const { requestId, traceId, route } = factsOf(c);
  const fields = { requestId, traceId, route, code, ...(cause !== undefined && { err: cause }) };
  // What is away comes back, and often has a known reason; a fault of ours has to be looked at.
  if (code === "internal") log.error(fields, "request failed");
  else log.warn(fields, message);
}

/** 405 with `Allow` where the path answers other methods, 404 otherwise. */
export const missing =
  (allowed: (path: string) => string[]): Step =>
  (c) => {
    const methods = allowed(c.req.path);
    if (methods.length > 0) throw new AppError("method_not_allowed", { headers: { allow: methods.join(", ") } });
    throw new AppError("not_found", { detail: "There is no such path." });
  };
