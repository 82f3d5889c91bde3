/** What a client can send for a body: each is answered with the right 4xx, says where the fault is, and changes nothing. */
import { expect } from "bun:test";
import type { Answer, Client, Json } from "../../helpers/client.ts";
import { type Case, newEmail, unique, type World } from "../world.ts";

const MIB = 1_048_576;
const bytes = (text: string) => new TextEncoder().encode(text);

/** A body of undeclared length. */
const streamed = (chunks: number, chunk: Uint8Array) =>
  new ReadableStream<Uint8Array>({
    pull(controller) {
      if (chunks-- > 0) controller.enqueue(chunk);
      else controller.close();
    },
  });

/** Sends it to where a name is changed, and expects that nothing was. */
async function unchanged(world: World, send: (api: Client) => Promise<Answer>): Promise<Answer> {
  const { api } = world.other;
  const before = (await api("GET", "/v1/me")).data;
  const answer = await send(api);
  expect((await api("GET", "/v1/me")).data).toEqual(before);
  return answer;
}

const rename =
  (raw: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>, headers = {}) =>
  (api: Client) =>
    api("PATCH", "/v1/me", { raw, headers });
const pointersOf = ({ json }: Answer): string[] =>
  json.errors?.map((fault: { pointer: string }) => fault.pointer) ?? [];

const deep = (depth: number, open: string, close: string) => open.repeat(depth) + close.repeat(depth);
const invalidUtf8 = new Uint8Array([...bytes('{"name":"'), 0xc3, 0x28, ...bytes('"}')]);

/** Cannot be read as JSON at all. */
const malformed: Record<string, string | Uint8Array<ArrayBuffer>> = {
  "empty body": "",
  "blank body": " ",
  "cut off object": '{"name":"a"',
  "trailing comma": '{"name":"a",}',
  "single quotes": "{'name':'a'}",
  "two documents": '{"name":"a"}{"name":"b"}',
  "a comment": '{"name":"a"/* */}',
  NaN: '{"name":NaN}',
  "hexadecimal number": '{"name":0x10}',
  "byte order mark and nothing": "\uFEFF",
  "invalid UTF-8": invalidUtf8,
  "overlong UTF-8": new Uint8Array([...bytes('{"name":"'), 0xc0, 0xaf, ...bytes('"}')]),
  "UTF-16": new Uint8Array([...'{"name":"a"}'].flatMap((c) => [c.charCodeAt(0), 0])),
  "10 000 nested arrays": deep(10_000, "[", "]"),
  "10 000 nested objects": `{"name":${deep(10_000, '{"a":', "}").replace("}", "1}")}}`,
  "100 000 open arrays": "[".repeat(100_000),
};

/** JSON that is not what the schema says; with the pointer of the fault. */
const invalid: Record<string, [body: string, pointer: string]> = {
  "null for a body": ["null", ""],
  "an array for a body": ["[]", ""],
  "a text for a body": ['"name"', ""],
  "a number for a body": ["1", ""],
  "an unknown field": ['{"name":"a","nickname":"b"}', "/nickname"],
  "an unknown field that needs escaping": ['{"name":"a","a/b~c":"b"}', "/a~1b~0c"],
  __proto__: ['{"name":"a","__proto__":{"role":"admin"}}', "/__proto__"],
  "__proto__ further in": ['{"name":{"a":{"__proto__":{"role":"admin"}}}}', "/name/a/__proto__"],
  "a constructor": ['{"constructor":{"prototype":{"role":"admin"}}}', "/constructor"],
  "a method of all objects": ['{"toString":"x"}', "/toString"],
  NUL: ['{"name":"a\\u0000b"}', "/name"],
  "a lone high surrogate": ['{"name":"a\\ud800"}', "/name"],
  "a lone low surrogate": ['{"name":"\\udc00a"}', "/name"],
  "a line break in a line": ['{"name":"a\\nRole: admin"}', "/name"],
  "a terminal's escape": ['{"name":"a\\u001b[2J"}', "/name"],
  "only blanks": ['{"name":"   "}', "/name"],
  "1e999": ['{"name":1e999}', "/name"],
  "-1e999": ['{"name":-1e999}', "/name"],
  "a number of 10 000 digits": [`{"name":${"9".repeat(10_000)}}`, "/name"],
  "an object with methods' names": ['{"name":{"toString":"x","length":5}}', "/name"],
  "an array of one": ['{"name":["a"]}', "/name"],
};

const types: Record<string, Record<string, string>> = {
  "no content type": { "content-type": "" },
  "text/plain": { "content-type": "text/plain" },
  "a form": { "content-type": "application/x-www-form-urlencoded" },
  "multipart without a boundary": { "content-type": "multipart/form-data" },
  XML: { "content-type": "application/xml" },
  "another charset": { "content-type": "application/json; charset=utf-16" },
  "something that begins like JSON": { "content-type": "application/jsonp" },
  "a compressed body": { "content-encoding": "gzip" },
};

export const bodyCases: Case[] = [
  ...Object.entries(malformed).map(
    ([what, raw]): Case => ({
      name: `a body is 400 that is malformed: ${what}`,
      async run(world) {
        const answer = await unchanged(world, rename(raw));
        expect([answer.status, answer.json.code]).toEqual([400, "malformed_request"]);
      },
    }),
  ),
  ...Object.entries(invalid).map(
    ([what, [raw, pointer]]): Case => ({
      name: `a body is 422, with a pointer, that has ${what}`,
      async run(world) {
        const answer = await unchanged(world, rename(raw));
        expect([answer.status, answer.json.code]).toEqual([422, "invalid_input"]);
        expect(pointersOf(answer)).toContain(pointer);
        expect(({} as Json).role).toBeUndefined();
      },
    }),
  ),
  {
    name: "a content type that is not JSON in UTF-8 is 415, and Accept says what is",
    async run(world) {
      for (const [what, headers] of Object.entries(types)) {
        const answer = await unchanged(world, rename(bytes('{"name":"a"}'), headers));
        expect([what, answer.status]).toEqual([what, 415]);
      }
      for (const type of ["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"]) {
        const { api } = world.other;
        const body = { name: `Named ${unique()}` };
        const answer = await api("PATCH", "/v1/me", { body, headers: { "content-type": type } });
        expect([type, answer.data.name]).toEqual([type, body.name]);
      }
    },
  },
  {
    name: "a body of 1 MiB and one byte is 413, whether its length is declared or not; one of 1 MiB is read",
    async run(world) {
      const padded = (size: number) => `{"name":"${"a".repeat(size - 11)}"}`;
      expect(padded(100)).toHaveLength(100);
      const declared = await unchanged(world, rename(padded(MIB + 1)));
      expect([declared.status, declared.json.code]).toEqual([413, "payload_too_large"]);
      const chunk = new Uint8Array(65_536).fill(0x61);
      const chunked = await unchanged(world, rename(streamed(17, chunk)));
      expect([chunked.status, chunked.json.code]).toEqual([413, "payload_too_large"]);
      const whole = await unchanged(world, rename(padded(MIB)));
      expect([whole.status, pointersOf(whole)]).toEqual([422, ["/name"]]);
    },
  },
  {
    name: "a body of undeclared length is read like any other",
    async run({ other }) {
      const name = `Streamed ${unique()}`;
      const answer = await other.api("PATCH", "/v1/me", { raw: streamed(1, bytes(JSON.stringify({ name }))) });
      expect(answer.data.name).toBe(name);
    },
  },
  {
    name: "all faults of a body are told together, and never the values that were sent",
    async run({ guest }) {
      const body = { email: "not an address", name: "", password: "short-secret", role: "admin" };
      const answer = await guest()("POST", "/v1/auth/register", { body: { ...body, password: "short" } });
      expect(pointersOf(answer).toSorted()).toEqual(["/email", "/name", "/password", "/role"]);
      expect(answer.text).not.toContain("not an address");
      expect(answer.text).not.toContain('"short"');
    },
  },
  {
    name: "a thousand faults are answered with some of them",
    async run(world) {
      const body = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`field${i}`, i]));
      const answer = await unchanged(world, rename(JSON.stringify(body)));
      expect(answer.status).toBe(422);
      expect(answer.json.errors.length).toBeLessThanOrEqual(50);
    },
  },
  {
    name: "text of every script is kept as it was sent, apart from blanks around it",
    async run({ other }) {
      for (const name of [
        "Ada 李雷",
        "שלום",
        "👩‍👩‍👧 family",
        "Zoë",
        "a\u0301",
        "O'Brien; drop table users--",
        "<b>&amp;</b>",
        "%s %n {{7*7}}",
      ]) {
        const answer = await other.api("PATCH", "/v1/me", { body: { name: ` ${name} ` } });
        expect(answer.data.name).toBe(name);
        expect((await other.api("GET", "/v1/me")).data.name).toBe(name);
      }
    },
  },
  {
    name: "nobody gives themselves what only the server or an administrator gives",
    async run(world) {
      const fields = {
        role: "admin",
        remark: "x",
        id: "user_00000000000000000000000000",
        version: 99,
        email: newEmail(),
        createdAt: "2020-01-01T00:00:00.000Z",
        deletedAt: null,
        hash: "x",
        isAdmin: true,
      };
      for (const [field, value] of Object.entries(fields)) {
        const answer = await unchanged(world, (api) =>
          api("PATCH", "/v1/me", { body: { name: "Mallory", [field]: value } }),
        );
        expect([field, answer.status, pointersOf(answer)]).toEqual([field, 422, [`/${field}`]]);
      }
      const { id, api } = world.other;
      for (const [field, value] of [
        ["role", "admin"],
        ["remark", "x"],
        ["email", newEmail()],
      ] as const) {
        const answer = await api("PATCH", `/v1/users/${id}`, { body: { name: "Mallory", [field]: value } });
        expect([field, answer.status, answer.json.code]).toEqual([field, 403, "forbidden"]);
      }
      expect((await api("GET", "/v1/me")).data).toMatchObject({ role: "user" });
      const body = { email: newEmail(), name: "Mallory", password: "a long enough phrase", role: "admin" };
      expect((await world.guest()("POST", "/v1/auth/register", { body })).status).toBe(422);
    },
  },
];
