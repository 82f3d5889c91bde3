/** The OpenAPI 3.1 document, derived from the declared routes and nothing else. It is made when it is first asked for. */
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi";
import { MAX_LIMIT } from "../core/page.ts";
import { type AnswerHeader, headersWith, requestHeader } from "./openapi-headers.ts";
import { problemAnswers } from "./openapi-problems.ts";
import { cursorSchema, includeParameter, listParameters } from "./openapi-query.ts";
import { type Components, components, type Json, partialItem, refTo } from "./openapi-schemas.ts";
import { isIdempotent, type Route, statusOf, type Tag, writes } from "./route.ts";
import { JSON_TYPE } from "./shape.ts";

export interface DocumentOptions {
  routes: readonly Route[];
  /** Where clients reach the server. */
  serverUrl: string;
  version: string;
}

/** The document as an object that can be printed as JSON or YAML. Throws when two schemas claim one name. */
export function openApiDocument({ routes, serverUrl, version }: DocumentOptions): Json {
  const parts = components();
  const api = new OpenAPIHono();
  for (const route of routes) api.openAPIRegistry.registerPath(operationOf(route, parts, `${serverUrl}/docs/errors`));
  const document = api.getOpenAPI31Document({
    openapi: "3.1.0",
    info: { title: "Hearth", version, description: introduction, license },
    servers: [{ url: serverUrl, description: "This server." }],
    tags: tagsOf(routes),
  });
  const { webhooks: _, components: none, ...rest } = document;
  dropUnused(parts.all, rest);
  return { ...rest, components: { ...none, ...sorted(parts.all), securitySchemes } };
}

/** What is answered in lists alone is there with fields that may be missing; nothing refers to it as it is declared. */
function dropUnused(all: Components["all"], document: Json): void {
  const { schemas = {} } = all;
  const used = JSON.stringify([document, all]);
  for (const name of Object.keys(schemas)) if (!used.includes(`"#/components/schemas/${name}"`)) delete schemas[name];
}

/** The name is the SPDX identifier. The library's types are those of OpenAPI 3.0, which has no field for it. */
const license = { name: "MIT", identifier: "MIT" } as { name: string };

const introduction = `Every answer of success is \`{ "data": …, "meta": { "requestId", "timestamp", "page"? } }\`. Every failure is a problem document
(RFC 9457, \`application/problem+json\`), whose \`code\` programs go by and whose \`type\` is the address of a page about it.

**Authentication.** Log in, and send \`Authorization: Bearer <accessToken>\`. Before the token expires, exchange the refresh token for a new pair.
A monitor sends the service's \`PROBE_TOKEN\` in place of an access token: with it the details of \`/readyz\`, jobs without what they were given and
answered, queues and schedules can be read, and nothing can be changed.

**Lists** come in pages: pass \`meta.page.next\` on as \`cursor\` until it is null. They are sorted by \`sort\`, narrowed by \`filter[field][op]\` and cut
down by \`fields\`. What is made meanwhile makes no page skip or repeat an item.

**Writing safely.** \`Idempotency-Key\` makes a write safe to send again. \`If-Match\` makes a change depend on the version that was read. Unknown
fields and parameters are refused, never ignored.

**Tracing.** \`X-Request-Id\` is taken over when it is 1 to 128 letters, digits and \`._:@-\`, and is made otherwise; a W3C \`traceparent\` is continued.

**Limits** are told by \`RateLimit\` and \`RateLimit-Policy\`. \`HEAD\` works wherever \`GET\` does; \`OPTIONS\` answers the methods of a path in \`Allow\`.`;

const securitySchemes = {
  bearerAuth: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description:
      "An access token of `POST /v1/auth/login`: a JWT that lives for minutes, signed with EdDSA (RFC 9068). It is verified as RFC8725 says: one algorithm, issuer, audience and type are checked.",
  },
};

function tagsOf(routes: readonly Route[]): Tag[] {
  const byName = new Map(routes.map(({ tag }) => [tag.name, tag]));
  return [...byName.values()];
}

function operationOf(route: Route, parts: Components, typeBase: string) {
  const { method, path, id, tag, summary } = route;
  return createRoute({
    method,
    path,
    operationId: id,
    tags: [tag.name],
    summary,
    description: descriptionOf(route),
    security: securityOf(route),
    parameters: parametersOf(route, parts) as never,
    ...(route.body && { request: { body: { required: true, content: bodyOf(route, parts) as never } } }),
    responses: { ...successOf(route, parts), ...problemAnswers(route, parts, typeBase) } as never,
  });
}

const descriptionOf = ({ description, access }: Route): string =>
  [description, typeof access === "string" ? null : `Needs the permission to \`${access[0]}\` \`${access[1]}\`.`]
    .filter(Boolean)
    .join("\n\n");

/** An empty requirement, and not an empty list of them: it says that nobody in particular may ask. */
function securityOf({ access }: Route): Record<string, string[]>[] {
  const bearer = { bearerAuth: [] };
  if (access === "public") return [{}];
  return access === "optional" ? [{}, bearer] : [bearer];
}

function parametersOf(route: Route, parts: Components): Json[] {
  const parameters: Json[] = [];
  for (const [name, schema] of Object.entries(route.params?.shape ?? {})) {
    const { description = "Which one.", ...rest } = parts.schema(schema as z.ZodType, "input");
    parameters.push({ name, in: "path", required: true, description, schema: rest });
  }
  if (route.list) parameters.push(...listParameters(route.list, parts));
  if (route.permissions) parameters.push(includeParameter(parts));
  if (isIdempotent(route)) parameters.push(requestHeader(parts, "IdempotencyKey"));
  if (route.versioned && writes(route)) parameters.push(requestHeader(parts, "IfMatch"));
  if (writes(route) && route.access !== "public") parameters.push(requestHeader(parts, "AuditReason"));
  if (isTagged(route) && !writes(route)) parameters.push(requestHeader(parts, "IfNoneMatch"));
  return parameters;
}

const bodyOf = ({ body, examples, summary }: Route, parts: Components): Json => ({
  [JSON_TYPE]: { schema: body && parts.schema(body, "input"), ...exampleOf(summary, examples?.body) },
});

const exampleOf = (summary: string, value: unknown): Json =>
  value === undefined ? {} : { examples: { example: { summary, value } } };

/** Whether the answer has an entity tag: that of its version, or one of its text. */
const isTagged = (route: Route): boolean =>
  route.answer !== undefined && (route.versioned === true || route.method === "get");

function successOf(route: Route, parts: Components): Json {
  const { answer, stream, summary, method } = route;
  const own: AnswerHeader[] = [];
  if (isTagged(route)) own.push("ETag");
  const kept: AnswerHeader[] = route.cache ? ["Cache-Control"] : [];
  if (route.cache && !route.cache.onlyClients) kept.push("Age");
  own.push(...kept);
  if (route.location) own.push("Location");
  if (isIdempotent(route)) own.push("Idempotent-Replayed");
  const success = {
    description: answer || stream ? "Done. The body holds the result." : "Done. There is no body.",
    headers: headersWith(parts, own),
    ...(stream && {
      content: { [stream]: { schema: linesSchema, ...exampleOf(summary, route.examples?.answer) } },
    }),
    ...(answer && {
      content: {
        [JSON_TYPE]: {
          schema: answerSchema(route, answer, parts),
          ...exampleOf(summary, answerExample(route)),
        },
      },
    }),
  };
  const notModified = {
    description: "What `If-None-Match` names is still current. There is no body.",
    headers: headersWith(parts, ["ETag", ...kept]),
  };
  return {
    [statusOf(route)]: success,
    ...(isTagged(route) &&
      method === "get" && {
        304: route.cache ? notModified : parts.use("responses", "NotModified", () => notModified),
      }),
  };
}

/** Of any number, so that no client allocates for the largest. */
const linesSchema = {
  type: "string",
  maxLength: Number.MAX_SAFE_INTEGER,
  pattern: "^(?:\\{.*\\}\\n)+$",
  description: "Lines of JSON.",
};

const MetaDto = z
  .object({
    requestId: z
      .string()
      .max(128)
      .regex(/^[\w.:@-]+$/)
      .describe("The id of this request; it is in the log."),
    timestamp: z.iso.datetime({ precision: 3 }).length(24).describe("When the request was received."),
  })
  .meta({ id: "Meta", description: "About the answer." });

const metaExample = { requestId: "0b0bd8ad-3e54-4b2f-9f6e-0a3f6d2f7c11", timestamp: "2026-01-31T09:30:00.000Z" };
const pageExample = { limit: 20, next: null };

function answerSchema(route: Route, answer: z.ZodType, parts: Components): Json {
  const data = parts.schema(answer, "output");
  if (route.bare) return data;
  parts.schema(MetaDto, "output");
  if (!route.list) return envelope(data, refTo("schemas", "Meta"));
  const items = { type: "array", maxItems: MAX_LIMIT, items: itemOf(route, answer, parts) };
  return envelope(
    items,
    parts.use("schemas", "ListMeta", () => listMeta(parts.all.schemas?.Meta as MetaSchema)),
  );
}

const envelope = (data: Json, meta: Json): Json => ({
  type: "object",
  properties: { data, meta },
  required: ["data", "meta"],
});

/** The whole item as a component, and beside it one of which fields may be missing, because `fields` can leave them out. */
function itemOf({ id }: Route, answer: z.ZodType, parts: Components): Json {
  const name = answer.meta()?.id;
  const full = name === undefined ? undefined : parts.all.schemas?.[name];
  if (name === undefined || !full) throw new Error(`The items of ${id} need a schema with an id.`);
  return parts.use("schemas", `${name}InList`, () => partialItem(full, name));
}

type MetaSchema = Json & { properties: Json; required: string[] };

const listMeta = ({ properties, required, ...meta }: MetaSchema): Json => ({
  ...meta,
  description: "About the answer, and the page that it is.",
  properties: {
    ...properties,
    page: {
      type: "object",
      properties: {
        limit: integer(1, MAX_LIMIT, "How many items the page has at most."),
        next: {
          ...cursorSchema,
          type: ["string", "null"],
          description: "The `cursor` of the next page; null on the last one.",
        },
        total: integer(0, Number.MAX_SAFE_INTEGER, "The number of items on all pages, if `count=exact` asked for it."),
      },
      required: ["limit", "next"],
    },
  },
  required: [...required, "page"],
});

const integer = (minimum: number, maximum: number, description: string): Json => ({
  type: "integer",
  format: maximum === MAX_LIMIT ? "int32" : "int64",
  minimum,
  maximum,
  description,
});

function answerExample({ answer, bare, list, examples }: Route): unknown {
  const data = examples?.answer;
  if (!answer || data === undefined || bare) return data;
  return list ? { data: [data], meta: { ...metaExample, page: pageExample } } : { data, meta: metaExample };
}

const sorted = (all: Components["all"]): Json =>
  Object.fromEntries(
    Object.entries(all).map(([kind, named]) => [
      kind,
      Object.fromEntries(Object.entries(named).sort(([a], [b]) => (a < b ? -1 : 1))),
    ]),
  );
