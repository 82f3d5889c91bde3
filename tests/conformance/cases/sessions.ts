/** Accounts and sessions: how they begin, and that they end at once. */
import { expect } from "bun:test";
import type { Answer } from "../../helpers/client.ts";
import { type Case, newAddress, newEmail, type Person, unique, type World } from "../world.ts";

const login = (world: World, email: string, password: string) =>
  world.guest()("POST", "/v1/auth/login", { body: { email, password } });
const refresh = (world: World, refreshToken: string) =>
  world.guest()("POST", "/v1/auth/refresh", { body: { refreshToken } });

/** What an answer says beside when and to which request. */
function alike({ status, headers, json }: Answer): unknown {
  const { requestId: _, ...problem } = json;
  const names = [...headers.keys()].filter((name) => name !== "date").toSorted();
  return { status, problem, names, challenge: headers.get("www-authenticate") };
}

async function isOver({ api }: Person): Promise<void> {
  const answer = await api("GET", "/v1/me");
  expect(answer.status).toBe(401);
  expect(answer.headers.get("www-authenticate")).toContain('error="invalid_token"');
}

export const sessionCases: Case[] = [
  {
    name: "an e-mail address that is taken, in whatever case, is refused with 409 and nothing of its account is told",
    async run(world) {
      const { owner } = world;
      const body = { email: owner.email.toUpperCase(), name: "Somebody", password: `another phrase ${unique()}` };
      const answer = await world.guest()("POST", "/v1/auth/register", { body });
      expect(answer.status).toBe(409);
      expect(answer.json.code).toBe("conflict");
      expect(answer.text).not.toContain(owner.id);
      expect((await login(world, owner.email, body.password)).status).toBe(401);
    },
  },
  {
    name: "ten people who register one address together make one account",
    async run(world) {
      const email = newEmail();
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, i) =>
          world.admin.api("POST", "/v1/users", { body: { email, name: `Twin ${i}` } }),
        ),
      );
      expect(answers.map(({ status }) => status).toSorted()).toEqual([201, ...Array(9).fill(409)]);
    },
  },
  {
    name: "a wrong password, an unknown address and an account without a password are refused alike",
    async run(world) {
      const { email } = await world.account();
      const answers = await Promise.all([
        login(world, world.other.email, `not the password ${unique()}`),
        login(world, newEmail(), `not the password ${unique()}`),
        login(world, email, `not the password ${unique()}`),
      ]);
      expect(answers[0]?.status).toBe(401);
      expect(alike(answers[1] as Answer)).toEqual(alike(answers[0] as Answer));
      expect(alike(answers[2] as Answer)).toEqual(alike(answers[0] as Answer));
    },
  },
  {
    name: "a refresh token is exchanged for a new pair; used again it is refused as an unknown one is, and its whole family ends",
    async run(world) {
      const person = await world.session(world.other);
      const first = await refresh(world, person.refreshToken);
      expect(first.status).toBe(200);
      expect(first.data).toMatchObject({ tokenType: "Bearer", expiresIn: 600 });
      const next = world.guest().with({ authorization: `Bearer ${first.data.accessToken}` });
      expect((await next("GET", "/v1/me")).data.id).toBe(person.id);

      const again = await refresh(world, person.refreshToken);
      expect(alike(again)).toEqual(alike(await refresh(world, `rt_${"A".repeat(43)}`)));
      expect((await refresh(world, first.data.refreshToken)).status).toBe(401);
      expect((await next("GET", "/v1/me")).status).toBe(401);
      await isOver(person);
      // The same person's other sessions go on.
      expect((await world.other.api("GET", "/v1/me")).status).toBe(200);
    },
  },
  {
    name: "of ten who exchange one refresh token together at most one succeeds, and the family ends",
    async run(world) {
      const person = await world.session(world.other);
      const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(world, person.refreshToken)));
      const won = answers.filter(({ status }) => status === 200);
      expect(won.length).toBeLessThanOrEqual(1);
      expect(answers.filter(({ status }) => status === 401)).toHaveLength(10 - won.length);
      await isOver(person);
      for (const { data } of won) expect((await refresh(world, data.refreshToken)).status).toBe(401);
    },
  },
  {
    name: "after logout neither token of the session is accepted, and other sessions go on",
    async run(world) {
      const person = await world.session(world.other);
      expect((await person.api("POST", "/v1/auth/logout", { body: {} })).status).toBe(204);
      await isOver(person);
      expect((await refresh(world, person.refreshToken)).status).toBe(401);
      expect((await world.other.api("GET", "/v1/me")).status).toBe(200);
    },
  },
  {
    name: "logging out with somebody else's refresh token does not end their session",
    async run(world) {
      const person = await world.session(world.other);
      const body = { refreshToken: world.owner.refreshToken };
      expect((await person.api("POST", "/v1/auth/logout", { body })).status).toBe(204);
      expect((await world.owner.api("GET", "/v1/me")).status).toBe(200);
    },
  },
  {
    name: "what a demoted administrator may do ends with the next request, and a deleted account is no account any more",
    async run(world) {
      const person = await world.person();
      const path = `/v1/users/${person.id}`;
      expect((await world.admin.api("PATCH", path, { body: { role: "admin" } })).data.role).toBe("admin");
      const promoted = await world.session(person);
      expect((await promoted.api("GET", "/v1/users?limit=1")).status).toBe(200);
      expect((await world.admin.api("PATCH", path, { body: { role: "user" } })).status).toBe(200);
      const refused = await promoted.api("GET", "/v1/users?limit=1");
      expect(refused.status).toBe(403);
      expect((await promoted.api("GET", "/v1/me")).data.role).toBe("user");

      expect((await world.admin.api("DELETE", path)).status).toBe(204);
      await isOver(person);
      await isOver(promoted);
      expect((await refresh(world, promoted.refreshToken)).status).toBe(401);
      expect((await login(world, person.email, person.password)).status).toBe(401);
      expect((await world.admin.api("GET", path)).status).toBe(404);
      const heir = await world.account({ email: person.email });
      expect(heir.id).not.toBe(person.id);
    },
  },
  {
    name: "administrators neither demote nor delete themselves",
    async run({ admin }) {
      const path = `/v1/users/${admin.id}`;
      expect((await admin.api("PATCH", path, { body: { role: "user" } })).status).toBe(403);
      expect((await admin.api("DELETE", path)).status).toBe(403);
      expect((await admin.api("GET", path)).data.role).toBe("admin");
    },
  },
  {
    name: "passwords are kept as argon2id in a PHC string, and refresh tokens as hashes",
    needs: ["sql"],
    async run({ query, owner }) {
      const users = await query?.("select password_hash from users where id = ?", [owner.id]);
      expect(String(users?.[0]?.password_hash)).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[\w+/]{22,}\$[\w+/]{43}$/);
      const tokens = JSON.stringify(await query?.("select * from refresh_tokens"));
      const sessions = JSON.stringify(await query?.("select * from sessions"));
      for (const text of [tokens, sessions]) expect(text).not.toContain(owner.refreshToken);
      expect(sessions).not.toContain(owner.accessToken);
    },
  },
  {
    name: "a session remembers where it was begun",
    needs: ["sql"],
    async run({ query, owner }) {
      const rows = await query?.("select address from sessions where user_id = ?", [owner.id]);
      expect(rows?.map(({ address }) => address)).toContain(owner.address);
    },
  },
  {
    name: "an access token is not taken from the query string",
    async run(world) {
      const answer = await world.guest()("GET", `/v1/me?access_token=${world.owner.accessToken}`);
      expect(answer.status).toBe(401);
      expect(answer.headers.get("www-authenticate")).toBe('Bearer realm="hearth"');
    },
  },
  {
    name: "the address of a client is what the trusted proxy wrote last, not what the client wrote before it",
    needs: ["sql"],
    async run(world) {
      const address = newAddress();
      const { email, password, id } = world.other;
      const chain = world.guest().with({ "x-forwarded-for": `203.0.113.9, ${address}` });
      expect((await chain("POST", "/v1/auth/login", { body: { email, password } })).status).toBe(200);
      const rows = await world.query?.("select address from sessions where user_id = ?", [id]);
      const addresses = rows?.map((row) => row.address);
      expect(addresses).toContain(address);
      expect(addresses).not.toContain("203.0.113.9");
    },
  },
];
