/** `Idempotency-Key`: a write that is sent again has one effect, and is answered as it was the first time. */
import { expect } from "bun:test";
import type { Answer } from "../../helpers/client.ts";
import { type Case, newEmail, unique, type World } from "../world.ts";

const newUser = () => ({ email: newEmail(), name: `Once ${unique()}` });
const key = () => `key-${unique()}`;

const create = ({ admin }: World, body: unknown, idempotencyKey: string) =>
  admin.api("POST", "/v1/users", { body, headers: { "idempotency-key": idempotencyKey } });

/** What the two have to have in common; the request id in the body is the first one's. */
const told = ({ status, text, headers }: Answer) => ({
  status,
  text,
  etag: headers.get("etag"),
  location: headers.get("location"),
  type: headers.get("content-type"),
});
const isReplay = ({ headers }: Answer) => headers.get("idempotent-replayed") === "true";

const countOf = async ({ admin }: World, email: string): Promise<number> =>
  (await admin.api("GET", `/v1/users?count=exact&filter[email][eq]=${encodeURIComponent(email)}`)).json.meta.page.total;

/** Ten at once with one key: one effect, and the same answer to all, one of which is the first. */
async function together(send: () => Promise<Answer>): Promise<Answer> {
  const answers = await Promise.all(Array.from({ length: 10 }, send));
  const [first] = answers as [Answer, ...Answer[]];
  for (const answer of answers) expect(told(answer)).toEqual(told(first));
  expect(answers.filter(isReplay)).toHaveLength(9);
  return first;
}

export const idempotencyCases: Case[] = [
  {
    name: "a creation that is sent again makes nothing, and is answered with the same status, body, ETag and Location",
    async run(world) {
      const [body, k] = [newUser(), key()];
      const first = await create(world, body, k);
      expect([first.status, isReplay(first)]).toEqual([201, false]);
      for (const header of [k, `"${k}"`]) {
        const again = await create(world, body, header);
        expect(told(again)).toEqual(told(first));
        expect(isReplay(again)).toBe(true);
        expect(again.headers.get("x-request-id")).not.toBe(first.headers.get("x-request-id"));
      }
      expect(await countOf(world, body.email)).toBe(1);
    },
  },
  {
    name: "a change is answered again as it was, though the row has changed since",
    async run(world) {
      const { id } = await world.account();
      const path = `/v1/users/${id}`;
      const headers = { "idempotency-key": key() };
      const first = await world.admin.api("PATCH", path, { body: { name: "First" }, headers });
      await world.admin.api("PATCH", path, { body: { name: "Second" } });
      const again = await world.admin.api("PATCH", path, { body: { name: "First" }, headers });
      expect(told(again)).toEqual(told(first));
      expect((await world.admin.api("GET", path)).data.name).toBe("Second");
    },
  },
  {
    name: "a change that changes nothing is answered again too",
    async run(world) {
      const { id, name } = await world.account();
      const headers = { "idempotency-key": key() };
      const send = () => world.admin.api("PATCH", `/v1/users/${id}`, { body: { name }, headers });
      const [first, again] = [await send(), await send()];
      expect(told(again)).toEqual(told(first));
      expect([isReplay(first), isReplay(again)]).toEqual([false, true]);
    },
  },
  {
    name: "a deletion is answered again with 204 and no body",
    async run(world) {
      const { id } = await world.account();
      const send = () => world.admin.api("DELETE", `/v1/users/${id}`, { headers: { "idempotency-key": k } });
      const k = key();
      const [first, again] = [await send(), await send()];
      expect([first.status, again.status, again.text]).toEqual([204, 204, ""]);
      expect(isReplay(again)).toBe(true);
    },
  },
  {
    name: "a registration is answered again for the same address of the network",
    async run(world) {
      const guest = world.guest();
      const body = { ...newUser(), password: `a long phrase ${unique()}` };
      const headers = { "idempotency-key": key() };
      const send = () => guest("POST", "/v1/auth/register", { body, headers });
      const [first, again] = [await send(), await send()];
      expect(first.status).toBe(201);
      expect(told(again)).toEqual(told(first));
      expect((await world.guest()("POST", "/v1/auth/register", { body, headers })).status).toBe(409);
    },
  },
  {
    name: "the key with another body, path or method is 422, and nothing is done",
    async run(world) {
      const [body, k] = [newUser(), key()];
      const { data } = await create(world, body, k);
      const headers = { "idempotency-key": k };
      const other = newUser();
      for (const answer of [
        await create(world, other, k),
        await world.admin.api("PATCH", `/v1/users/${data.id}`, { body: { name: "Other" }, headers }),
        await world.admin.api("DELETE", `/v1/users/${data.id}`, { headers }),
      ])
        expect([answer.status, answer.json.code]).toEqual([422, "idempotency_key_reused"]);
      expect(await countOf(world, other.email)).toBe(0);
      expect((await world.admin.api("GET", `/v1/users/${data.id}`)).data).toEqual(data);
    },
  },
  {
    name: "the same key of two people is two keys",
    async run({ owner, other }) {
      const headers = { "idempotency-key": key() };
      const rename = ({ api }: typeof owner, name: string) => api("PATCH", "/v1/me", { body: { name }, headers });
      const [a, b] = [`Mine ${unique()}`, `Yours ${unique()}`];
      expect((await rename(owner, a)).data.name).toBe(a);
      expect((await rename(other, b)).data.name).toBe(b);
      expect((await rename(owner, a)).data).toMatchObject({ id: owner.id, name: a });
    },
  },
  {
    name: "of ten creations with one key that come together one is made, and all are answered with it",
    async run(world) {
      const [body, k] = [newUser(), key()];
      const { status } = await together(() => create(world, body, k));
      expect(status).toBe(201);
      expect(await countOf(world, body.email)).toBe(1);
    },
  },
  {
    name: "of ten changes of one version with one key that come together one is made, and all are answered with it",
    async run(world) {
      const { id, etag } = await world.account();
      const headers = { "idempotency-key": key(), "if-match": etag };
      const path = `/v1/users/${id}`;
      const { data } = await together(() => world.admin.api("PATCH", path, { body: { name: "Once" }, headers }));
      expect(data.version).toBe(2);
      expect((await world.admin.api("GET", path)).data.version).toBe(2);
    },
  },
  {
    name: "of ten deletions with one key that come together one is made, and all are answered with 204",
    async run(world) {
      const { id } = await world.account();
      const headers = { "idempotency-key": key() };
      const { status } = await together(() => world.admin.api("DELETE", `/v1/users/${id}`, { headers }));
      expect(status).toBe(204);
    },
  },
  {
    name: "a refusal is not kept: the same request with the same key is tried again",
    async run(world) {
      const [body, k] = [newUser(), key()];
      const holder = await world.account({ email: body.email });
      expect((await create(world, body, k)).status).toBe(409);
      expect((await create(world, { ...body, role: "root" }, k)).status).toBe(422);
      await world.admin.api("DELETE", `/v1/users/${holder.id}`);
      const made = await create(world, body, k);
      expect([made.status, isReplay(made)]).toEqual([201, false]);
    },
  },
  {
    name: "a key that is empty, too long or not visible ASCII is 400",
    async run(world) {
      for (const k of ["", '""', "a b", "k".repeat(256), "schlüssel"]) {
        const answer = await create(world, newUser(), k);
        expect([k, answer.status]).toEqual([k, 400]);
      }
      expect((await create(world, newUser(), "k".repeat(255 - 12) + unique().slice(-12))).status).toBe(201);
    },
  },
  {
    name: "answers with tokens are never kept: login takes no key",
    async run(world) {
      const { email, password } = world.other;
      const send = () =>
        world.guest()("POST", "/v1/auth/login", { body: { email, password }, headers: { "idempotency-key": k } });
      const k = key();
      const [first, second] = [await send(), await send()];
      expect(isReplay(second)).toBe(false);
      expect(second.data.refreshToken).not.toBe(first.data.refreshToken);
    },
  },
];
