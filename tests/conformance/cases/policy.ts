/** Rules that administrators make: whom they bind, from when on, over what, and that every part of the API goes by the same ones. */
import { expect } from "bun:test";
import { newId } from "../../../src/core/id.ts";
import { userChanges } from "../../../src/modules/users/schema.ts";
import type { Client, Json } from "../../helpers/client.ts";
import { type Case, newEmail, type Person, unique, type World } from "../world.ts";

const RULES = "/v1/policy/rules";
const BASE = ["createdAt", "id", "updatedAt", "version"];
type Draft = Record<string, unknown>;

async function make({ admin }: World, rule: Draft): Promise<Json> {
  const { status, data } = await admin.api("POST", RULES, { body: { subject: "User", ...rule } });
  expect(status).toBe(201);
  return data;
}

const forUser = (world: World, { id }: { id: string }, rule: Draft) =>
  make(world, { scopeType: "user", scopeId: id, ...rule });
const drop = ({ admin }: World, { id }: Json) => admin.api("DELETE", `${RULES}/${id}`);
const names = (row: Json) => Object.keys(row).toSorted();
const byEmail = (email: string) => `/v1/users?filter[email][eq]=${encodeURIComponent(email)}`;
const pointers = (json: Json) => json.errors?.map(({ in: part, pointer }: Json) => `${part} ${pointer}`);

async function administrator(world: World): Promise<Person> {
  const person = await world.person();
  expect((await world.admin.api("PATCH", `/v1/users/${person.id}`, { body: { role: "admin" } })).status).toBe(200);
  return person;
}

const stored: Case[] = [
  {
    name: "a stored rule holds from the next request of those whom it is about, and no longer when it is taken back",
    async run(world) {
      const [person, { email }] = [await world.person(), await world.account()];
      expect((await person.api("GET", byEmail(email))).status).toBe(403);
      const seeing = await forUser(world, person, { actions: ["list", "read"], fields: ["email", "name"] });
      const { status, data } = await person.api("GET", byEmail(email));
      expect([status, names(data[0])]).toEqual([200, [...BASE, "email", "name"].toSorted()]);
      expect((await world.other.api("GET", byEmail(email))).status).toBe(403);

      const etag = (await world.admin.api("GET", `${RULES}/${seeing.id}`)).headers.get("etag") ?? "";
      const body = { fields: ["email"], conditions: { role: { $ne: "admin" } } };
      const change = () => world.admin.api("PATCH", `${RULES}/${seeing.id}`, { body, headers: { "if-match": etag } });
      expect((await change()).data).toMatchObject({ ...body, version: 2 });
      expect((await change()).status).toBe(412);
      expect(names((await person.api("GET", byEmail(email))).data[0])).toEqual([...BASE, "email"].toSorted());
      expect((await person.api("GET", byEmail(world.admin.email))).data).toEqual([]);
      expect((await person.api("GET", `/v1/users/${world.admin.id}`)).status).toBe(404);

      expect((await drop(world, seeing)).status).toBe(204);
      expect((await person.api("GET", byEmail(email))).status).toBe(403);
    },
  },
  {
    name: "a rule of a role binds everybody of that role, and one of a user decides over it",
    async run(world) {
      const [one, two] = [await world.person(), await world.person()];
      const hidden = await make(world, {
        scopeType: "role",
        scopeId: "user",
        actions: ["read"],
        fields: ["email"],
        inverted: true,
      });
      try {
        await forUser(world, two, { actions: ["read"], fields: ["email"], conditions: { id: { $actor: "id" } } });
        expect((await one.api("GET", "/v1/me")).data.email).toBeUndefined();
        expect((await two.api("GET", "/v1/me")).data.email).toBe(two.email);
        expect((await world.admin.api("GET", "/v1/me")).data.email).toBe(world.admin.email);
        const body = { email: newEmail(), name: "New", password: `a long phrase ${unique()}` };
        const { status, data } = await world.guest()("POST", "/v1/auth/register", { body });
        expect([status, data.name, data.email]).toEqual([201, "New", undefined]);
      } finally {
        await drop(world, hidden);
      }
      expect((await one.api("GET", "/v1/me")).data.email).toBe(one.email);
    },
  },
  {
    name: "of rules of one scope the greatest priority decides, then the newest",
    async run(world) {
      const person = await world.person();
      const rule = (inverted: boolean, priority: number) =>
        forUser(world, person, { actions: ["read"], fields: ["name"], inverted, priority });
      const sees = async () => (await person.api("GET", "/v1/me")).data.name !== undefined;
      await rule(true, 0);
      expect(await sees()).toBe(false);
      const newer = await rule(false, 0);
      expect(await sees()).toBe(true);
      const stronger = await rule(true, 5);
      expect(await sees()).toBe(false);
      await world.admin.api("PATCH", `${RULES}/${newer.id}`, { body: { priority: 6 } });
      expect(await sees()).toBe(true);
      await world.admin.api("PATCH", `${RULES}/${stronger.id}`, { body: { priority: 7 } });
      expect(await sees()).toBe(false);
    },
  },
  {
    name: "administrators can always change the rules, whatever these say, and nobody else is given that by a rule",
    async run(world) {
      const [lost, person] = [await administrator(world), await world.person()];
      const ban = await forUser(world, lost, { subject: "all", actions: ["manage"], inverted: true });
      expect((await lost.api("GET", "/v1/users")).status).toBe(403);
      expect((await lost.api("GET", `${RULES}/${ban.id}`)).status).toBe(200);
      expect((await lost.api("DELETE", `${RULES}/${ban.id}`)).status).toBe(204);
      expect((await lost.api("GET", "/v1/users")).status).toBe(200);

      await forUser(world, person, { subject: "all", actions: ["manage"] });
      expect((await person.api("GET", "/v1/users")).status).toBe(200);
      expect((await person.api("GET", RULES)).status).toBe(403);
      expect((await person.api("POST", RULES, { body: {} })).status).toBe(403);
      expect((await person.api("DELETE", `/v1/users/${person.id}`)).status).toBe(403);
    },
  },
  {
    name: "a rule that no request could be judged by is 422, and each fault is told by its pointer",
    async run(world) {
      const person = { scopeType: "user", scopeId: world.owner.id, subject: "User", actions: ["read"] };
      const wrong: [Draft, string][] = [
        [{ scopeType: "role", scopeId: "root" }, "/scopeId"],
        [{ scopeId: "user_1" }, "/scopeId"],
        [{ scopeType: "apiKey" }, "/scopeId"],
        [{ scopeType: "apiKey", scopeId: "key_1" }, "/scopeId"],
        [{ scopeType: "session" }, "/scopeType"],
        [{ subject: "Invoice" }, "/subject"],
        [{ subject: "PolicyRule" }, "/subject"],
        [{ actions: ["frobnicate"] }, "/actions/0"],
        [{ actions: [] }, "/actions"],
        [{ fields: ["name", "passwordHash"] }, "/fields/1"],
        [{ fields: ["version"] }, "/fields/0"],
        [{ fields: [] }, "/fields"],
        [{ conditions: { nick: "x" } }, "/conditions/nick"],
        [{ conditions: { deletedAt: null } }, "/conditions/deletedAt"],
        [{ conditions: { name: { $regex: "^a" } } }, "/conditions/name/$regex"],
        [{ conditions: { name: { $exists: true } } }, "/conditions/name/$exists"],
        [{ conditions: { $where: "1" } }, "/conditions/$where"],
        [{ conditions: { version: "1" } }, "/conditions/version"],
        [{ conditions: { version: { $gt: { $actor: "id" } } } }, "/conditions/version/$gt"],
        [{ conditions: { id: { $actor: "sessionId" } } }, "/conditions/id"],
        [{ conditions: { id: { $actor: "id", $ne: "x" } } }, "/conditions/id/$actor"],
        [{ conditions: { role: { $in: ["admin", 3] } } }, "/conditions/role/$in/1"],
        [{ conditions: { $or: [{ name: "a" }, { createdAt: { $lt: "2026" } }] } }, "/conditions/$or/1/createdAt/$lt"],
        [{ conditions: { $and: [] } }, "/conditions/$and"],
        [{ conditions: {} }, "/conditions"],
        [{ conditions: { id: { $in: Array.from({ length: 31 }, (_, i) => `user_${i}`) } } }, "/conditions"],
        [{ subject: "all", conditions: { id: "x" } }, "/conditions"],
        [{ subject: "Job", actions: ["update"], conditions: { queue: "default" } }, "/conditions"],
      ];
      for (const [part, pointer] of wrong) {
        const { status, json } = await world.admin.api("POST", RULES, { body: { ...person, ...part } });
        expect([part, status, pointers(json)]).toEqual([part, 422, expect.arrayContaining([`body ${pointer}`])]);
      }
      const rule = await forUser(world, world.owner, { actions: ["list"], conditions: { name: "a" } });
      const { status, json } = await world.admin.api("PATCH", `${RULES}/${rule.id}`, {
        body: { conditions: { name: 3 } },
      });
      expect([status, pointers(json)]).toEqual([422, ["body /conditions/name"]]);
      await drop(world, rule);
    },
  },
  {
    name: "a rule of an API key is stored, found, changed and taken back as any other, and is about whoever acts by that key",
    async run(world) {
      const [person, apiKeyId] = [await world.person(), newId("key")];
      const rule = await make(world, { scopeType: "apiKey", scopeId: apiKeyId, actions: ["list", "read"] });
      const listed = async (query: string) =>
        (await world.admin.api("GET", `${RULES}?${query}`)).data.map(({ id }: Json) => id);
      expect(await listed(`filter[scopeType][eq]=apiKey&filter[scopeId][eq]=${apiKeyId}`)).toEqual([rule.id]);
      expect(await listed("filter[scopeType][eq]=apiKey&limit=100")).toContain(rule.id);
      expect(await listed(`filter[scopeType][eq]=user&filter[scopeId][eq]=${apiKeyId}`)).toEqual([]);
      const ask = async (question: Draft) => {
        const body = { userId: null, action: "list", subject: "User", ...question };
        const { data, json } = await world.admin.api("POST", "/v1/policy/explain", { body });
        return data ? [data.allowed, data.decisions[0].decidedBy?.layer ?? null] : pointers(json);
      };
      expect(await ask({ userId: person.id })).toEqual([false, null]);
      expect(await ask({ userId: person.id, apiKeyId })).toEqual([true, "apiKey"]);
      expect(await ask({ userId: person.id, apiKeyId: newId("key") })).toEqual([false, null]);
      expect(await ask({ apiKeyId, role: "user" })).toEqual([true, "apiKey"]);
      expect(await ask({ userId: world.admin.id, apiKeyId, action: "create", subject: "PolicyRule" })).toEqual([
        false,
        "guard",
      ]);
      expect(await ask({ apiKeyId })).toEqual(["body /role"]);
      expect(await ask({ role: "user" })).toEqual(["body /role"]);
      expect(await ask({ userId: person.id, apiKeyId, role: "user" })).toEqual(["body /role"]);
      expect(await ask({ apiKeyId: "key_1", role: "user" })).toContain("body /apiKeyId");
      // Without the key the person is nobody whom it is about.
      expect((await person.api("GET", "/v1/users")).status).toBe(403);
      const path = `${RULES}/${rule.id}`;
      expect((await world.admin.api("PATCH", path, { body: { inverted: true } })).data.inverted).toBe(true);
      expect(await ask({ apiKeyId, role: "user" })).toEqual([false, "apiKey"]);
      expect((await drop(world, rule)).status).toBe(204);
      expect(await listed(`filter[scopeType][eq]=apiKey&filter[scopeId][eq]=${apiKeyId}`)).toEqual([]);
    },
  },
  {
    name: "making a rule is audited, and the same key makes one rule",
    async run(world) {
      const { id } = await world.account();
      const body = { scopeType: "user", scopeId: id, subject: "User", actions: ["list"], note: "Looked after." };
      const send = () => world.admin.api("POST", RULES, { body, headers: { "idempotency-key": `k-${id}` } });
      const [first, second] = [await send(), await send()];
      expect([first.status, second.status, second.data.id]).toEqual([201, 201, first.data.id]);
      const { data } = await world.admin.api("GET", `${RULES}?filter[scopeId][eq]=${id}`);
      expect(data.map((rule: Json) => rule.note)).toEqual(["Looked after."]);
      await drop(world, first.data);
      const found = await world.query?.("select action from audit_entries where entity_id = ? order by id", [
        first.data.id,
      ]);
      if (found) expect(found.map(({ action }) => action)).toEqual(["policy-rule.create", "policy-rule.delete"]);
    },
  },
];

const governed: Case[] = [
  {
    name: "what an actor may not see is not told by a filter, an order or the choice of fields either",
    async run(world) {
      const [person, { email, id }] = [await world.person(), await world.account({ remark: "a secret remark" })];
      await forUser(world, person, { actions: ["list", "read"], fields: ["name"] });
      // Its own address is its own to see, by the module; of no row the remark.
      for (const [query, pointer] of [
        ["fields=remark", "/fields"],
        ["fields=name,remark", "/fields"],
      ] as const) {
        const { status, json } = await person.api("GET", `/v1/users?${query}`);
        expect([query, status, pointers(json)]).toEqual([query, 403, [`query ${pointer}`]]);
      }
      expect((await person.api("GET", byEmail(email))).data).toEqual([]);
      expect((await person.api("GET", byEmail(person.email))).data).toMatchObject([{ id: person.id }]);
      expect((await person.api("GET", `${byEmail(email)}&count=exact`)).json.meta.page.total).toBe(0);
      const sorted = await person.api("GET", "/v1/users?sort=email&limit=100");
      expect(sorted.data.map((row: Json) => row.id)).toEqual([person.id]);
      expect((await person.api("GET", "/v1/users?filter[role][eq]=admin")).data).toEqual([]);
      expect(names((await person.api("GET", `/v1/users/${id}`)).data)).toEqual([...BASE, "name"].toSorted());

      await forUser(world, person, { actions: ["read"], fields: ["email"], inverted: true, priority: 1 });
      for (const [query, pointer] of [
        ["sort=-email", "/sort"],
        [`filter[email][eq]=${encodeURIComponent(email)}`, "/filter[email][eq]"],
      ] as const) {
        const { status, json } = await person.api("GET", `/v1/users?${query}`);
        expect([query, status, pointers(json)]).toEqual([query, 403, [`query ${pointer}`]]);
      }
      const trail = { subject: "AuditEntry", actions: ["read"], fields: ["action"], inverted: true };
      expect((await person.api("GET", "/v1/audit?filter[action][eq]=session.create")).status).toBe(200);
      await forUser(world, person, trail);
      const hidden = await person.api("GET", "/v1/audit?filter[action][eq]=session.create");
      expect([hidden.status, pointers(hidden.json)]).toEqual([403, ["query /filter[action][eq]"]]);
      expect(
        (await person.api("GET", "/v1/users?sort=name&filter[createdAt][gt]=2020-01-01T00:00:00.000Z")).status,
      ).toBe(200);
    },
  },
  {
    name: "who may create with some fields alone, or some rows alone, creates nothing else",
    async run(world) {
      const person = await world.person();
      const rule = { actions: ["create"], fields: ["email", "name", "role"], conditions: { role: "user" } };
      await forUser(world, person, rule);
      await forUser(world, person, { actions: ["read"], conditions: { role: "user" } });
      const create = (fields: Draft) =>
        person.api("POST", "/v1/users", { body: { email: newEmail(), name: "Made", ...fields } });
      expect((await create({})).status).toBe(201);
      expect((await create({ role: "user" })).status).toBe(201);
      expect((await create({ role: "admin" })).status).toBe(403);
      for (const [field, value] of [
        ["remark", "x"],
        ["password", `a long phrase ${unique()}`],
      ] as const) {
        const { status, json } = await create({ [field]: value });
        expect([status, pointers(json)]).toEqual([403, [`body /${field}`]]);
      }
    },
  },
  {
    name: "include=permissions tells of each row exactly what the actor can then do to it",
    async run(world) {
      const [person, boss, known] = [await world.person(), await administrator(world), await world.account()];
      await forUser(world, person, { actions: ["list", "read", "delete"], conditions: { role: "user" } });
      await forUser(world, person, {
        actions: ["update"],
        fields: ["remark", "name"],
        conditions: { name: { $ne: "X" } },
      });
      const pairs: [Client, string][] = [
        [person.api, person.id],
        [person.api, (await world.account()).id],
        [person.api, (await world.account({ name: "X" })).id],
        [boss.api, boss.id],
        [boss.api, known.id],
        [world.other.api, world.other.id],
      ];
      const told: Json[] = [];
      for (const [api, id] of pairs) {
        const plain = await api("GET", `/v1/users/${id}`);
        const { data, headers } = await api("GET", `/v1/users/${id}?include=permissions`);
        const { permissions, ...row } = data;
        expect(row).toEqual(plain.data);
        expect(headers.get("etag")).not.toBe(plain.headers.get("etag"));
        for (const field of userChanges) {
          const value = field === "email" ? newEmail() : field === "role" ? "user" : `Y ${unique()}`;
          const { status } = await api("PATCH", `/v1/users/${id}`, { body: { [field]: value } });
          expect([id, field, status]).toEqual([id, field, permissions.update.includes(field) ? 200 : 403]);
        }
        const { status } = await api("DELETE", `/v1/users/${id}`);
        expect([id, status]).toEqual([id, permissions.delete ? 204 : 403]);
        told.push(permissions);
      }
      expect(told).toEqual([
        { read: true, update: ["name", "remark"], delete: false },
        { read: true, update: ["name", "remark"], delete: true },
        { read: true, update: [], delete: true },
        { read: true, update: ["email", "name", "remark"], delete: false },
        { read: true, update: ["email", "name", "role", "remark"], delete: true },
        { read: true, update: ["name"], delete: false },
      ]);
      const list = await boss.api("GET", "/v1/users?include=permissions&fields=name&limit=3");
      for (const row of list.data) expect(names(row)).toEqual(["id", "name", "permissions"]);
      expect((await boss.api("GET", "/v1/me?include=permissions")).data.permissions.update).toEqual(["name"]);
      expect((await boss.api("GET", "/v1/users?include=everything")).status).toBe(422);
    },
  },
  {
    name: "explain agrees with what is then answered, and says which rule decides and what would have to hold",
    async run(world) {
      const [person, { id }] = [await world.person(), await world.account()];
      const rule = await forUser(world, person, { actions: ["read"], conditions: { name: "Nobody" } });
      const ask = async (question: Draft) => {
        const body = { userId: person.id, action: "read", subject: "User", ...question };
        const answer = await world.admin.api("POST", "/v1/policy/explain", { body });
        return [answer.status, answer.data ?? pointers(answer.json)];
      };
      const [, own] = await ask({ id: person.id, fields: ["email", "remark"] });
      expect(own).toMatchObject({
        allowed: false,
        decisions: [
          { field: "email", allowed: true, decidedBy: { layer: "module", name: "users" } },
          { field: "remark", allowed: false, decidedBy: null, needs: ['name is "Nobody"'] },
        ],
      });
      const [, other] = await ask({ id });
      expect(other).toMatchObject({ allowed: false, decisions: [{ decidedBy: null }] });
      expect(other.decisions[0].needs).toEqual(['name is "Nobody"', `id is "${person.id}"`]);
      expect((await person.api("GET", `/v1/users/${id}`)).status).toBe(404);
      const [, named] = await ask({ row: { id: "user_x", name: "Nobody" } });
      expect(named).toMatchObject({ allowed: true, decisions: [{ decidedBy: { layer: "user", name: rule.id } }] });
      expect((await ask({}))[1]).toMatchObject({ allowed: null });
      expect((await ask({ action: "delete" }))[1]).toMatchObject({ allowed: false, decisions: [{ needs: [] }] });
      expect((await ask({ userId: null }))[1]).toMatchObject({ allowed: false, decisions: [{ rules: [] }] });
      expect(await ask({ row: { id: 1 } })).toEqual([422, ["body /row"]]);
      expect(await ask({ subject: "Nothing" })).toEqual([422, ["body /subject"]]);
      expect(await ask({ id: "user_nobody" })).toEqual([422, ["body /id"]]);
      expect(await ask({ userId: newId("user") })).toEqual([422, ["body /userId"]]);
    },
  },
];

export const policyCases: Case[] = [...stored, ...governed];
