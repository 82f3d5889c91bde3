/** What can go wrong with an operation, as answers of the OpenAPI document. */
import { z } from "zod";
import { type ErrorCode, errors } from "../core/error.ts";
import { type AnswerHeader, headersWith } from "./openapi-headers.ts";
import { type Components, type Json, type Ref, refTo } from "./openapi-schemas.ts";
import { PROBLEM_TYPE, type Problem } from "./problem.ts";
import { isIdempotent, type Route, writes } from "./route.ts";
import { plainText, prose } from "./schema.ts";

const codes = Object.keys(errors) as [ErrorCode, ...ErrorCode[]];

const InputFaultDto = z
  .object({
    in: z.enum(["body", "query", "path", "header"]).describe("The part of the request."),
    pointer: plainText(4200).describe("The place in that part: a JSON pointer (RFC 6901). Empty for the whole part."),
    detail: plainText(1000).describe("What was expected."),
  })
  .meta({ id: "InputFault", description: "One fault of the input." });

const ProblemDto = z
  .object({
    type: z.url().max(500).describe("The address of a page that explains the code."),
    title: plainText(100).describe("The same for every problem with this code."),
    status: z.int().min(400).max(599).describe("The status of the answer."),
    detail: prose(8000).describe("What went wrong this time, for people."),
    code: z.enum(codes).describe("For programs to tell problems apart by."),
    requestId: plainText(128).describe("The id of the request, which its log lines have too."),
    errors: z.array(InputFaultDto).max(20).optional().describe("Each fault of the input, where there are any."),
    explain: z
      .array(plainText(4000))
      .max(100)
      .optional()
      .describe("In development alone: the rules of the policy that decided, line by line."),
  })
  .meta({ id: "Problem", description: "What went wrong (RFC 9457, application/problem+json)." });

/** The codes that follow from what a route takes and needs. */
function problemsOf(route: Route): ErrorCode[] {
  const found = new Set<ErrorCode>(route.problems);
  // The URL, the Host header and the query are looked at for all of them.
  found.add("malformed_request").add("uri_too_long").add("invalid_input").add("internal");
  if (route.limit !== null) found.add("too_many_requests").add("unavailable");
  if (route.access !== "public") found.add("unauthenticated");
  if (Array.isArray(route.access)) found.add("forbidden");
  if (route.params) found.add("not_found");
  if (route.body) found.add("payload_too_large").add("unsupported_media_type");
  if (route.list) found.add("invalid_cursor");
  if (writes(route) && (isIdempotent(route) || route.versioned)) found.add("conflict");
  if (writes(route) && route.versioned) found.add("precondition_failed");
  if (isIdempotent(route)) found.add("idempotency_key_reused");
  return codes.filter((code) => found.has(code));
}

/** The answers of all problems that a route may end in, by status; each is a component that routes share. */
export function problemAnswers(route: Route, parts: Components, typeBase: string): Record<string, Ref> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of problemsOf(route)) {
    const { status } = errors[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, of]) => [
      status,
      parts.use("responses", of.map(pascal).join("Or"), () => problemAnswer(status, of, parts, typeBase)),
    ]),
  );
}

function problemAnswer(status: number, of: readonly ErrorCode[], parts: Components, typeBase: string): Json {
  parts.schema(ProblemDto, "output");
  const own: AnswerHeader[] = [];
  if (status === 401) own.push("WWW-Authenticate");
  if (status === 429 || status === 503) own.push("Retry-After");
  return {
    description: of.map((code) => `\`${code}\`: ${errors[code].about}`).join("\n\n"),
    headers: headersWith(parts, own),
    content: {
      [PROBLEM_TYPE]: {
        schema: refTo("schemas", "Problem"),
        examples: Object.fromEntries(
          of.map((code) => [code, parts.use("examples", code, () => problemExample(code, typeBase))]),
        ),
      },
    },
  };
}

const faultExamples: Partial<Record<ErrorCode, Problem["errors"]>> = {
  invalid_input: [{ in: "query", pointer: "/colour", detail: "is not a parameter of this endpoint" }],
  invalid_cursor: [{ in: "query", pointer: "/cursor", detail: "is not a cursor of this list" }],
};

function problemExample(code: ErrorCode, typeBase: string): Json {
  const { status, title, about } = errors[code];
  const faults = faultExamples[code];
  const value: Problem = {
    type: `${typeBase}#${code}`,
    title,
    status,
    detail: about,
    code,
    requestId: "0b0bd8ad-3e54-4b2f-9f6e-0a3f6d2f7c11",
    ...(faults && { errors: faults }),
  };
  return { summary: title, value };
}

const pascal = (code: string): string => code.replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());
