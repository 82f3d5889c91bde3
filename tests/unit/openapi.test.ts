import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import manifest from "../../package.json" with { type: "json" };
import { openApiDocument, openApiYaml } from "../../scripts/openapi.ts";
import { scalarVersion } from "../../src/http/docs-page.ts";
import { createSpec, type Json } from "../helpers/spec.ts";

const document: Json = await openApiDocument();
const spec = createSpec(document);
const operations = Object.entries<Json>(document.paths).flatMap(([path, item]) =>
  Object.entries<Json>(item).map(([method, operation]) => ({ path, method, operation, id: operation.operationId })),
);
const resolve = (node: Json): Json =>
  node.$ref
    ? resolve(
        node.$ref
          .slice(2)
          .split("/")
          .reduce((at: Json, key: string) => at[key], document),
      )
    : node;
const answersOf = (operation: Json) =>
  Object.entries<Json>(operation.responses).map(([status, answer]) => ({ status: Number(status), ...resolve(answer) }));
/** Every content of an operation: its body, and each answer that has one. */
const contentsOf = (operation: Json): [string, Json][] =>
  [operation.requestBody, ...answersOf(operation)].flatMap((part) => Object.entries<Json>(part?.content ?? {}));
/** Every schema of the document, with the place where it stands. */
function* schemas(node: Json, place: string): Generator<[string, Json]> {
  if (typeof node !== "object" || node === null) return;
  const types = [node.type].flat();
  if (types.some((type) => ["string", "integer", "number", "array", "object"].includes(type))) yield [place, node];
  for (const [key, value] of Object.entries(node)) {
    if (key !== "example" && key !== "examples" && key !== "default") yield* schemas(value, `${place}/${key}`);
  }
}

test("spec/openapi.yaml is what `bun run openapi` writes", async () => {
  expect(readFileSync(new URL("../../spec/openapi.yaml", import.meta.url), "utf8")).toBe(await openApiYaml());
});

test("the script of the reference page is addressed by the version that is installed", () => {
  expect(manifest.dependencies["@scalar/api-reference"]).toBe(scalarVersion);
});

test("operation ids are unique, and every tag is declared with a description", () => {
  const ids = operations.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const used = new Set(operations.flatMap(({ operation }) => operation.tags));
  const declared = document.tags.filter(({ description }: Json) => description.length > 10);
  expect(declared.map(({ name }: Json) => name).sort()).toEqual([...used].sort());
});

test("everything that refers to a component finds it, and no component is left over", () => {
  const refs = new Set(JSON.stringify(document).match(/#\/components\/[\w/-]+/g));
  const made = Object.entries<Json>(document.components)
    .filter(([kind]) => kind !== "securitySchemes")
    .flatMap(([kind, named]) => Object.keys(named).map((name) => `#/components/${kind}/${name}`));
  expect(made.sort()).toEqual([...refs].sort());
});

test("every text, number and list has bounds, and every text a form", () => {
  const loose = [...schemas(document.paths, "paths"), ...schemas(document.components, "components")].filter(
    ([, schema]) => {
      const types = [schema.type].flat();
      if (types.includes("string"))
        return !schema.enum && !schema.const && !(schema.maxLength > 0 && (schema.pattern || schema.format));
      if (types.includes("integer")) return !schema.format || schema.minimum === undefined || !schema.maximum;
      if (types.includes("number")) return schema.minimum === undefined || !schema.maximum;
      return types.includes("array") && !(schema.maxItems > 0);
    },
  );
  expect(loose.map(([place]) => place)).toEqual([]);
});

test("patterns mean the same with and without the flag u", () => {
  for (const [place, { pattern }] of schemas(document, "")) {
    if (pattern) expect({ place, pattern }).not.toEqual({ place, pattern: expect.stringMatching(/\\p\{/i) });
  }
});

test("what a client sends is closed, and what it is given may grow", () => {
  for (const { id, operation } of operations) {
    const body = operation.requestBody && resolve(operation.requestBody.content["application/json"].schema);
    if (body) expect({ id, closed: body.additionalProperties }).toEqual({ id, closed: false });
    for (const { content } of answersOf(operation))
      expect({ id, text: JSON.stringify(content ?? {}) }).not.toEqual({
        id,
        text: expect.stringContaining("additionalProperties"),
      });
  }
});

describe.each(operations.map(({ id, ...rest }) => [id, rest] as const))("%s", (_, { method, operation }) => {
  const answers = answersOf(operation);
  const success = answers.find(({ status }) => status < 300);
  const problems = answers.filter(({ status }) => status >= 400);
  const parameters: Json[] = (operation.parameters ?? []).map(resolve);
  const names = parameters.map(({ name }) => name);

  test("is described, tagged, and says who may ask", () => {
    for (const text of [operation.operationId, operation.summary, operation.description])
      expect(text.length).toBeGreaterThan(3);
    expect(operation.description).not.toStartWith("Needs the permission");
    expect(operation.tags).toHaveLength(1);
    expect(operation.security.length).toBeGreaterThan(0);
    for (const { description } of parameters) expect(description.length).toBeGreaterThan(5);
  });

  test("has examples of its body and its answers, which fit their schemas", () => {
    for (const [, content] of contentsOf(operation)) {
      const examples = Object.values<Json>(content.examples).map(resolve);
      expect(examples.length).toBeGreaterThan(0);
      for (const { value } of examples) expect(spec.faultsOf(content.schema, value)).toBeNull();
    }
  });

  test("has examples of headers that fit their schemas", () => {
    for (const { headers } of answers)
      for (const header of Object.values<Json>(headers).map(resolve))
        expect(spec.faultsOf(header.schema, header.example)).toBeNull();
  });

  test("declares its problems as problem documents, with one example a code and the status of that code", () => {
    expect(problems.map(({ status }) => status)).toContain(500);
    for (const { status, content } of problems) {
      expect(Object.keys(content)).toEqual(["application/problem+json"]);
      for (const [code, example] of Object.entries<Json>(content["application/problem+json"].examples))
        expect(resolve(example).value).toMatchObject({ code, status });
    }
  });

  test("declares the headers that its answers have", () => {
    for (const { status, headers } of answers) {
      expect(Object.keys(headers)).toEqual(
        expect.arrayContaining(["X-Request-Id", "RateLimit", "RateLimit-Policy", "Access-Control-Allow-Origin"]),
      );
      expect("WWW-Authenticate" in headers).toBe(status === 401);
      expect("Retry-After" in headers).toBe(status === 429 || status === 503);
    }
    if (success.status === 201) expect(success.headers).toHaveProperty("Location");
    expect("Idempotent-Replayed" in success.headers).toBe(names.includes("Idempotency-Key"));
  });

  test("answers conditional requests where its answer has an entity tag", () => {
    const isStream = "application/x-ndjson" in (operation.responses[200]?.content ?? {});
    const isRead = method === "get" && !isStream;
    expect(names.includes("If-None-Match")).toBe(isRead);
    expect(answers.some(({ status }) => status === 304)).toBe(isRead);
    if (isRead) expect(success.headers).toHaveProperty("ETag");
    expect(names.includes("If-Match")).toBe(answers.some(({ status }) => status === 412));
  });
});

test("a list tells its page, and its items need only an id, because `fields` can leave out the rest", () => {
  const { operation } = operations.find(({ id }) => id === "listUsers") as Json;
  const { properties } = operation.responses[200].content["application/json"].schema;
  expect(resolve(properties.data.items).required).toEqual(["id"]);
  expect(resolve(properties.meta).required).toEqual(["requestId", "timestamp", "page"]);
  expect(resolve(properties.meta).properties.page.required).toEqual(["limit", "next"]);
  const names = operation.parameters.map((parameter: Json) => resolve(parameter).name);
  expect(names).toEqual(expect.arrayContaining(["limit", "cursor", "sort", "fields", "count", "filter[role][in]"]));
});
