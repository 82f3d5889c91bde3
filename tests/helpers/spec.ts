/**
 * Holds real answers to the OpenAPI document: an operation has to answer what it declares, and nothing more. Fields that the document does
 * not have are refused, although a client has to ignore them.
 */
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { parse } from "yaml";

// biome-ignore lint/suspicious/noExplicitAny: the document is data of any depth.
export type Json = any;

export interface Exchange {
  method: string;
  /** As it was asked for, with or without a query. */
  path: string;
  status: number;
  headers: Headers;
  /** The parsed JSON body; undefined without one. */
  body: unknown;
}

export interface Spec {
  document: Json;
  /** Throws with the operation, the status and each fault when the exchange does not fit the document. */
  check(exchange: Exchange): void;
  /** Whether a value fits a schema, which may refer to components; the faults as text, or null. */
  faultsOf(schema: Json, value: unknown): string | null;
}

/** Headers that mean something to a client: one that is sent has to be declared. */
const telling = ["age", "etag", "location", "retry-after", "idempotent-replayed", "www-authenticate"];
const problem = { $ref: "#/components/schemas/Problem" };
/** Answered beside the operations. */
const pages = /^\/(?:openapi\.json|docs(?:\/.*)?)$/;

export const readSpec = (): Spec =>
  createSpec(parse(readFileSync(new URL("../../spec/openapi.yaml", import.meta.url), "utf8")));

export function createSpec(document: Json): Spec {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  const strict = closed(document);
  const resolve = (node: Json): Json => (node?.$ref ? resolve(at(strict, node.$ref)) : node);
  const compiled = new Map<Json, ReturnType<typeof ajv.compile>>();

  const faultsOf = (schema: Json, value: unknown): string | null => {
    let validate = compiled.get(schema);
    if (!validate) {
      validate = ajv.compile({ components: strict.components, allOf: [schema] });
      compiled.set(schema, validate);
    }
    if (validate(value)) return null;
    return (validate.errors ?? [])
      .map(({ instancePath, message, params }) => `${instancePath || "/"} ${message} ${JSON.stringify(params)}`)
      .join("; ");
  };

  const operations = Object.entries<Json>(strict.paths).flatMap(([template, item]) => {
    const pattern = new RegExp(`^${template.replace(/[.]/g, "\\.").replace(/\{\w+\}/g, "[^/]+")}$`);
    return Object.entries<Json>(item).map(([method, operation]) => ({ method, template, pattern, operation }));
  });
  const find = (method: string, path: string) =>
    operations
      .filter((known) => known.method === method && known.pattern.test(path))
      .sort((a, b) => a.template.split("{").length - b.template.split("{").length)[0]?.operation;

  return {
    document,
    faultsOf,
    check({ method, path: asked, status, headers, body }) {
      const path = asked.replace(/[?#].*/s, "");
      const asksHead = method.toUpperCase() === "HEAD";
      if (method.toUpperCase() === "OPTIONS" && status === 204) return;
      const operation = find(asksHead ? "get" : method.toLowerCase(), path);
      const name = `${method} ${operation?.operationId ?? path} answered ${status}`;
      const refuse = (why: string): never => {
        throw new Error(`${name}, and the OpenAPI document disagrees: ${why}`);
      };
      if (!operation) {
        if (status < 400 && pages.test(path)) return;
        if (status < 400) refuse("it has no such operation");
        if (asksHead) return;
        const faults = faultsOf(problem, body);
        return faults ? refuse(faults) : undefined;
      }
      const answer = resolve(operation.responses[status]);
      if (!answer) refuse(`it has ${Object.keys(operation.responses).join(", ")}`);
      const declared = Object.entries<Json>(answer.headers ?? {}).map(([header, it]) => ({ header, ...resolve(it) }));
      for (const { header, required, schema } of declared) {
        const value = headers.get(header);
        if (value === null && required) refuse(`the header ${header} is missing`);
        if (value === null) continue;
        const faults = faultsOf(schema, schema.type === "integer" ? Number(value) : value);
        if (faults) refuse(`the header ${header}: ${faults}`);
      }
      for (const header of telling)
        if (headers.has(header) && !declared.some((known) => known.header.toLowerCase() === header))
          refuse(`the header ${header} is not declared`);
      if (asksHead) return;
      if (!answer.content) return body === undefined ? undefined : refuse("it declares no body");
      const type = headers.get("content-type")?.replace(/;.*/s, "") ?? "";
      const content = answer.content[type];
      if (!content) return refuse(`it declares ${Object.keys(answer.content).join(", ")}, not ${type}`);
      // Lines are of no schema of JSON; who reads them checks them.
      if (type === "application/x-ndjson") return;
      const faults = faultsOf(content.schema, body);
      if (faults) refuse(faults);
      const { code } = (body ?? {}) as Json;
      if (status >= 400 && !(code in content.examples)) refuse(`it has ${Object.keys(content.examples)}, not ${code}`);
    },
  };
}

const at = (document: Json, ref: string): Json =>
  ref
    .slice(2)
    .split("/")
    .reduce((node, key) => node[key.replaceAll("~1", "/").replaceAll("~0", "~")], document);

/** The same with every object closed that lists its properties. */
function closed(node: Json): Json {
  if (Array.isArray(node)) return node.map(closed);
  if (typeof node !== "object" || node === null) return node;
  const made = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]));
  return node.type === "object" && node.properties ? { additionalProperties: false, ...made } : made;
}
