/** Every field of every body and every parameter, as the OpenAPI document declares them, with values of each type that it is not. */
import { expect } from "bun:test";
import { idPrefixes, newId } from "../../../src/core/id.ts";
import type { Answer, Json } from "../../helpers/client.ts";
import { type Case, newEmail, unique, type World } from "../world.ts";
import { operationsOf } from "./scenarios.ts";

interface Schema {
  type?: string | string[];
  anyOf?: Schema[];
  enum?: unknown[];
  maxLength?: number;
  minLength?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  $ref?: string;
}

const resolve = (document: Json, schema: Schema): Schema =>
  schema.$ref
    ? schema.$ref
        .slice(2)
        .split("/")
        .reduce((part, key) => part[key], document)
    : schema;

const typesOf = (schema: Schema): string[] => [schema.type ?? []].flat().concat(schema.anyOf?.flatMap(typesOf) ?? []);

const samples: [type: string, value: unknown][] = [
  ["string", "a text"],
  ["integer", 7],
  ["number", 1.5],
  ["integer", 1e21],
  ["boolean", true],
  ["null", null],
  ["array", []],
  ["array", ["a text"]],
  ["object", {}],
  ["object", { $ne: null }],
];

/** Values that a field of this schema does not take. */
function wrongFor(schema: Schema): unknown[] {
  const types = typesOf(schema);
  // It takes any JSON.
  if (types.length === 0 && !schema.enum) return [];
  const wrong = samples.flatMap(([type, value]) => (types.includes(type) ? [] : [value]));
  if (types.includes("string")) wrong.push("nul\u0000", "\ud800");
  if (schema.maxLength !== undefined) wrong.push("a".repeat(schema.maxLength + 1));
  if (schema.minLength) wrong.push("");
  if (schema.enum) wrong.push("another", "ADMIN", " user");
  return wrong;
}

const validBodies: Record<string, () => Record<string, unknown>> = {
  register: () => ({ email: newEmail(), name: "New", password: `a long phrase ${unique()}` }),
  login: () => ({ email: newEmail(), password: "a long phrase" }),
  refresh: () => ({ refreshToken: "rt_x" }),
  logout: () => ({}),
  updateMe: () => ({}),
  createUser: () => ({ email: newEmail(), name: "New" }),
  updateUser: () => ({}),
  retryJob: () => ({}),
  retryDeadJobs: () => ({}),
  purgeJobs: () => ({ state: "failed", olderThanS: 300_000_000 }),
  updateSchedule: () => ({ paused: false }),
  runSchedule: () => ({}),
  createPolicyRule: () => ({ scopeType: "role", scopeId: "user", subject: "User", actions: ["read"], inverted: true }),
  updatePolicyRule: () => ({}),
  explainPolicy: () => ({ userId: null, action: "read", subject: "User" }),
};

interface Body {
  operationId: string;
  method: string;
  path: string;
  schema: Schema;
}

const bodiesOf = (world: World): Body[] =>
  operationsOf(world).flatMap(({ operationId, method, path }) => {
    const { requestBody } = world.document.paths[path][method.toLowerCase()];
    const schema = requestBody?.content["application/json"].schema as Schema | undefined;
    return schema ? [{ operationId, method, path, schema: resolve(world.document, schema) }] : [];
  });

const pointersOf = ({ json }: Answer): string[] =>
  json.errors?.map((fault: { pointer: string }) => fault.pointer) ?? [];
type Sender = (method: string, path: string, body?: unknown) => Promise<Answer>;

/**
 * Sends as an administrator, about an account of its own, or where no token is looked at as a new guest each time, whom no limit meets.
 * The session is its own too: should something be accepted that is to be refused, no other case suffers.
 */
async function senderFor(world: World): Promise<Sender> {
  const [{ api }, { id }] = await Promise.all([world.session(world.admin), world.account()]);
  return (method, path, body) =>
    (isPublic(path) ? world.guest() : api)(method, told(path, id), body === undefined ? {} : { body });
}

/** The path with the account in it; where it is about something else, with a name that could be that. */
const told = (path: string, account: string) =>
  path
    .replace("{id}", idFor(path) ?? account)
    .replace("{name}", `none.${unique()}`)
    .replace("{entity}", "User")
    .replace("{number}", "0");

const idFor = (path: string): string | null => {
  if (path.startsWith("/v1/jobs")) return newId(idPrefixes.job);
  return path.startsWith("/v1/policy") ? newId(idPrefixes.policyRule) : null;
};

const isPublic = (path: string) => /^\/v1\/auth\/(?:register|login|refresh)\b/.test(path);

export const fieldCases: Case[] = [
  {
    name: "every operation that takes a body is in the table of this suite",
    async run(world) {
      const ids = bodiesOf(world).map(({ operationId }) => operationId);
      expect(ids.toSorted()).toEqual(Object.keys(validBodies).toSorted());
    },
  },
  ...Object.entries(validBodies).map(
    ([id, valid]): Case => ({
      name: `${id}: each field refuses what is of another type or size, is told by its pointer, and unknown fields are refused`,
      async run(world) {
        const operation = bodiesOf(world).find(({ operationId }) => operationId === id) as Body;
        const { method, path } = operation;
        const { properties = {}, required = [] } = operation.schema;
        const send = await senderFor(world);
        for (const [field, declared] of Object.entries(properties)) {
          // Together, because nothing is changed by any.
          const tried = wrongFor(resolve(world.document, declared)).map(async (value) => {
            const answer = await send(method, path, { ...valid(), [field]: value });
            const what = `${field}: ${JSON.stringify(value)?.slice(0, 40)}`;
            expect([what, answer.status]).toEqual([what, 422]);
            expect(pointersOf(answer).some((pointer) => pointer.startsWith(`/${field}`))).toBe(true);
          });
          await Promise.all(tried);
        }
        for (const field of required) {
          const { [field]: _, ...rest } = valid();
          const answer = await send(method, path, rest);
          expect([field, answer.status, pointersOf(answer)]).toEqual([field, 422, [`/${field}`]]);
        }
        const answer = await send(method, path, { ...valid(), surplus: 1 });
        expect([answer.status, pointersOf(answer)]).toEqual([422, ["/surplus"]]);
      },
    }),
  ),
  {
    name: "every operation refuses a query parameter that it does not have",
    async run(world) {
      const send = await senderFor(world);
      for (const { method, path, operationId } of operationsOf(world)) {
        const answer = await send(method, `${path}?surplus=1`, validBodies[operationId]?.());
        expect([operationId, answer.status, pointersOf(answer)]).toEqual([operationId, 422, ["/surplus"]]);
      }
    },
  },
  {
    name: "an e-mail address is kept and compared in lower case, and only addresses are accepted",
    async run(world) {
      const { email } = await world.account({ email: newEmail().toUpperCase() });
      expect(email).toBe(email.toLowerCase());
      for (const wrong of [
        "a",
        "a@",
        "@b.c",
        "a@b",
        "a b@c.de",
        "a@b.c\r\nBcc: x@y.z",
        "a@b.c,d@e.f",
        "<a@b.cd>",
        `${"a".repeat(250)}@b.cd`,
      ]) {
        const answer = await world.admin.api("POST", "/v1/users", { body: { email: wrong, name: "A" } });
        expect([wrong, answer.status, pointersOf(answer)]).toEqual([wrong, 422, ["/email"]]);
      }
    },
  },
];
