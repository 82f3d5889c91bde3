import { describe, expect, test } from "bun:test";
import { userExample } from "../../src/modules/users/schema.ts";
import { type Exchange, readSpec } from "../helpers/spec.ts";

const spec = readSpec();
const meta = { requestId: "r1", timestamp: "2026-01-31T09:30:00.000Z" };
const path = `/v1/users/${userExample.id}?x=1`;
const headers = (own: Record<string, string> = {}) =>
  new Headers({ "content-type": "application/json", "x-request-id": "r1", etag: '"1"', ...own });
const good: Exchange = { method: "GET", path, status: 200, headers: headers(), body: { data: userExample, meta } };
const problem = (code: string, status: number) => ({
  type: `http://127.0.0.1:3000/docs/errors#${code}`,
  title: "A title",
  status,
  detail: "A detail.",
  code,
  requestId: "r1",
});
const failed = (code: string, status: number, own: Partial<Exchange> = {}): Exchange => ({
  method: "GET",
  path,
  status,
  headers: new Headers({ "content-type": "application/problem+json", "x-request-id": "r1" }),
  body: problem(code, status),
  ...own,
});
const list = (item: object, page: object = { limit: 20, next: null }): Exchange => ({
  ...good,
  path: "/v1/users",
  body: { data: [item], meta: { ...meta, page } },
});

describe("an exchange that the document has", () => {
  test.each<[string, Exchange]>([
    ["an answer of success", good],
    ["a problem", failed("not_found", 404)],
    ["a list whose items are cut down", list({ id: userExample.id })],
    ["an answer to HEAD, which has no body", { ...good, method: "HEAD", body: undefined }],
    ["304", { ...good, status: 304, body: undefined }],
    ["a path that does not exist", failed("not_found", 404, { path: "/nowhere" })],
    ["a method that the path does not have", failed("method_not_allowed", 405, { method: "PUT" })],
    ["a page beside the operations", { ...good, path: "/docs/errors", body: undefined }],
  ])("passes: %s", (_, exchange) => spec.check(exchange));
});

describe("an exchange that the document does not have", () => {
  test.each<[string, Exchange, string]>([
    ["a field that is not declared", { ...good, body: { data: { ...userExample, age: 3 }, meta } }, "age"],
    ["a field of another type", { ...good, body: { data: { ...userExample, version: "1" }, meta } }, "/data/version"],
    ["a field that is missing", { ...good, body: { data: { ...userExample, version: undefined }, meta } }, "version"],
    ["a field beside data and meta", { ...good, body: { data: userExample, meta, more: 1 } }, "more"],
    ["an item without an id", list({ name: "Ada" }), "id"],
    ["a list without its page", { ...good, path: "/v1/users", body: { data: [], meta } }, "page"],
    ["a status that is not declared", { ...good, status: 202 }, "it has 200, 304"],
    ["a header that is missing", { ...good, headers: new Headers({ "x-request-id": "r1" }) }, "ETag is missing"],
    ["a header of another form", { ...good, headers: headers({ etag: "1" }) }, "the header ETag"],
    ["a header that is not declared", { ...good, headers: headers({ location: "/x" }) }, "location is not declared"],
    ["another content type", { ...good, headers: headers({ "content-type": "text/html" }) }, "not text/html"],
    ["a body where there is none", { ...good, status: 304 }, "it declares no body"],
    ["a code that is not declared", failed("invalid_cursor", 400), "not invalid_cursor"],
    ["success of a path that is not declared", { ...good, path: "/v1/secret" }, "no such operation"],
  ])("is refused: %s", (_, exchange, why) => expect(() => spec.check(exchange)).toThrow(why));
});
