/** The OpenAPI 3.1 document, derived from the declared routes and nothing else. */
import { createRoute, type OpenAPIHono, type RouteConfig } from "@hono/zod-openapi";
import { z } from "zod";
import { type ErrorCode, errors } from "../core/error.ts";
import type { AppEnv } from "./facts.ts";
import { listQuery } from "./list.ts";
import { PROBLEM_TYPE } from "./problem.ts";
import { isIdempotent, type Route, statusOf, writes } from "./route.ts";

const ProblemDto = z
  .object({
    type: z.string().max(300),
    title: z.string().max(100),
    status: z.int().min(400).max(599),
    detail: z.string().max(2000),
    code: z.enum(Object.keys(errors) as [ErrorCode, ...ErrorCode[]]),
    requestId: z.string().max(128),
  })
  .meta({ id: "Problem" });

/** Adds a route to the app's document. */
export function declare(app: OpenAPIHono<AppEnv>, route: Route): void {
  const { method, path, id, tag, summary, description, params, body, answer } = route;
  const query = route.list && listQuery(route.list);
  const responses: RouteConfig["responses"] = {
    [statusOf(route)]: answer
      ? {
          description: summary,
          content: { "application/json": { schema: z.object({ data: route.list ? z.array(answer) : answer }) } },
        }
      : { description: summary },
  };
  for (const status of new Set(problemsOf(route).map((code) => errors[code].status))) {
    responses[status] = { description: "", content: { [PROBLEM_TYPE]: { schema: ProblemDto } } };
  }
  app.openAPIRegistry.registerPath(
    createRoute({
      method,
      path,
      operationId: id,
      tags: [tag],
      summary,
      ...(description && { description }),
      request: {
        ...(params && { params }),
        ...(query && { query }),
        ...(body && { body: { required: true, content: { "application/json": { schema: body } } } }),
      },
      responses,
    }),
  );
}

/** The codes that follow from what a route takes and needs. */
export function problemsOf(route: Route): ErrorCode[] {
  const codes = new Set<ErrorCode>(route.problems);
  codes.add("malformed_request").add("internal").add("unavailable");
  if (route.limit !== null) codes.add("too_many_requests");
  if (Array.isArray(route.access)) codes.add("unauthenticated").add("forbidden");
  if (route.access === "optional") codes.add("unauthenticated");
  if (route.params) codes.add("not_found");
  if (route.body) codes.add("payload_too_large").add("unsupported_media_type").add("invalid_input").add("conflict");
  if (route.list) codes.add("invalid_input").add("invalid_cursor");
  if (route.versioned && writes(route)) codes.add("precondition_failed").add("conflict");
  if (isIdempotent(route)) codes.add("idempotency_key_reused");
  return [...codes];
}
