/** The audit trail, read beside the server: each change has one entry, which commits with it, holds no secret, and stays. */
import { expect } from "bun:test";
import type { Answer, Client, Json } from "../../helpers/client.ts";
import { type Case, newEmail, type Person, unique, type World } from "../world.ts";

type Entry = Record<string, Json>;
const needs = ["sql"] as const;
const TRACE = "0af7651916cd43dd8448eb211c80319c";

const value = (json: Json) => (typeof json === "string" ? JSON.parse(json) : json);

async function entriesOf({ query }: World, requestId: string): Promise<Entry[]> {
  const rows = (await query?.("select * from audit_entries where request_id = ?", [requestId])) ?? [];
  return rows.map((row) => ({ ...row, old_value: value(row.old_value), new_value: value(row.new_value) }));
}

/** Sends one change; answers it with its one entry. */
async function audited(world: World, api: Client, method: string, path: string, body?: unknown) {
  const requestId = unique();
  const headers = { "x-request-id": requestId, traceparent: `00-${TRACE}-b7ad6b7169203331-01` };
  const answer = await api(method, path, body === undefined ? { headers } : { body, headers });
  const entries = await entriesOf(world, requestId);
  expect(entries).toHaveLength(1);
  const entry = entries[0] as Entry;
  expect(entry).toMatchObject({ request_id: requestId, trace_id: TRACE, address: api.headers["x-forwarded-for"] });
  expect(entry.id).toStartWith("aud_");
  return { answer, entry };
}

const by = ({ id }: { id: string }) => ({ actor_type: "user", actor_id: id });
const on = (type: string, id: string) => ({ entity_type: type, entity_id: id });

/** Changes that are refused or change nothing; none may leave an entry. */
const idle: Record<string, (world: World, headers: Record<string, string>) => Promise<Answer>> = {
  "a read": ({ owner }, headers) => owner.api("GET", "/v1/me", { headers }),
  "a change to what it is already": ({ owner }, headers) => owner.api("PATCH", "/v1/me", { body: {}, headers }),
  "a forbidden change": ({ owner }, headers) =>
    owner.api("PATCH", `/v1/users/${owner.id}`, { body: { role: "admin" }, headers }),
  "a stale change": ({ owner }, headers) =>
    owner.api("PATCH", "/v1/me", { body: { name: "Stale" }, headers: { ...headers, "if-match": '"999"' } }),
  "a taken address": ({ admin, owner }, headers) =>
    admin.api("POST", "/v1/users", { body: { email: owner.email, name: "Twin" }, headers }),
  "a failed login": ({ guest, owner }, headers) =>
    guest()("POST", "/v1/auth/login", { body: { email: owner.email, password: "a wrong phrase" }, headers }),
  "an unknown refresh token": ({ guest }, headers) =>
    guest()("POST", "/v1/auth/refresh", { body: { refreshToken: "rt_unknown" }, headers }),
};

export const auditCases: Case[] = [
  {
    name: "an account's life is written down: made, changed, deleted, each with who, what, before and after",
    needs,
    async run(world) {
      const { admin } = world;
      const email = newEmail();
      const made = await audited(world, admin.api, "POST", "/v1/users", {
        email,
        name: "Made",
        remark: "a note",
        password: `a phrase ${unique()}`,
      });
      const { id } = made.answer.data;
      const path = `/v1/users/${id}`;
      expect(made.entry).toMatchObject({ ...by(admin), ...on("User", id), action: "user.create", old_value: null });
      expect(made.entry.new_value).toMatchObject({
        email,
        name: "Made",
        role: "user",
        remark: "a note",
        passwordHash: "[changed]",
      });

      const changed = await audited(world, admin.api, "PATCH", path, { name: "Changed", role: "admin" });
      expect(changed.entry).toMatchObject({ ...by(admin), ...on("User", id), action: "user.update" });
      expect(changed.entry.old_value).toEqual({ name: "Made", role: "user" });
      expect(changed.entry.new_value).toEqual({ name: "Changed", role: "admin" });

      const gone = await audited(world, admin.api, "DELETE", path);
      expect(gone.entry).toMatchObject({ ...by(admin), ...on("User", id), action: "user.delete" });
      expect(gone.entry.old_value).toEqual({ deletedAt: null });
      expect(gone.entry.new_value).toEqual({ deletedAt: expect.any(String) });
    },
  },
  {
    name: "a session's life is written down: begun, refreshed, used twice, ended",
    needs,
    async run(world) {
      const { email, password, id } = world.other;
      const registered = await audited(world, world.guest(), "POST", "/v1/auth/register", {
        email: newEmail(),
        name: "New",
        password: `a phrase ${unique()}`,
      });
      const newcomer = registered.answer.data.id;
      expect(registered.entry).toMatchObject({
        actor_type: "user",
        actor_id: newcomer,
        action: "user.create",
        entity_id: newcomer,
      });

      const guest = world.guest();
      const login = await audited(world, guest, "POST", "/v1/auth/login", { email, password });
      const session = login.entry.entity_id;
      expect(login.entry).toMatchObject({ ...on("Session", session), action: "session.create" });
      expect(login.entry.new_value).toMatchObject({ userId: id });
      const { refreshToken } = login.answer.data;
      const refreshed = await audited(world, guest, "POST", "/v1/auth/refresh", { refreshToken });
      expect(refreshed.entry).toMatchObject({ ...on("Session", session), action: "session.refresh" });
      const reused = await audited(world, guest, "POST", "/v1/auth/refresh", { refreshToken });
      expect(reused.answer.status).toBe(401);
      expect(reused.entry).toMatchObject({ ...on("Session", session), action: "session.reuse" });

      const again: Person = await world.session(world.other);
      const ended = await audited(world, again.api, "POST", "/v1/auth/logout", {});
      expect(ended.entry).toMatchObject({ ...by(again), entity_type: "Session", action: "session.end" });
    },
  },
  {
    name: "people who change themselves are the actor and the entity",
    needs,
    async run(world) {
      const { entry } = await audited(world, world.owner.api, "PATCH", "/v1/me", { name: `Myself ${unique()}` });
      expect(entry).toMatchObject({ ...by(world.owner), ...on("User", world.owner.id), action: "user.update" });
      expect(Object.keys(entry.new_value)).toEqual(["name"]);
    },
  },
  {
    name: "what is refused, and what changes nothing, leaves no entry",
    needs,
    async run(world) {
      for (const [what, send] of Object.entries(idle)) {
        const requestId = unique();
        await send(world, { "x-request-id": requestId });
        expect([what, await entriesOf(world, requestId)]).toEqual([what, []]);
      }
    },
  },
  {
    name: "a write that is replayed for its Idempotency-Key, or lost a race, leaves the one entry of the first",
    needs,
    async run(world) {
      const body = { email: newEmail(), name: "Once" };
      const headers = { "idempotency-key": unique() };
      const answers = await Promise.all(
        Array.from({ length: 6 }, () => world.admin.api("POST", "/v1/users", { body, headers })),
      );
      const ids = new Set(answers.map(({ data }) => data.id));
      expect(ids.size).toBe(1);
      const rows = await world.query?.("select id from audit_entries where entity_id = ?", [[...ids][0]]);
      expect(rows).toHaveLength(1);

      const { id, etag } = await world.account();
      await Promise.all(
        Array.from({ length: 6 }, (_, i) =>
          world.admin.api("PATCH", `/v1/users/${id}`, { body: { name: `Racer ${i}` }, headers: { "if-match": etag } }),
        ),
      );
      const updates = await world.query?.(
        "select id from audit_entries where entity_id = ? and action = 'user.update'",
        [id],
      );
      expect(updates).toHaveLength(1);
    },
  },
  {
    name: "every version of every account has its entry: the trail misses none and invents none",
    needs,
    async run({ query, admin }) {
      const wrong = await query?.(
        `select id, version from users where id <> ? and version <> (
           select count(*) from audit_entries where entity_id = users.id
         )`,
        [admin.id],
      );
      expect(wrong).toEqual([]);
    },
  },
  {
    name: "entries cannot be changed or removed, also not by SQL beside the server",
    needs,
    async run({ query }) {
      const before = await query?.("select count(*) as n from audit_entries");
      for (const text of ["update audit_entries set action = 'nothing'", "delete from audit_entries"]) {
        const refused = await Promise.resolve(query?.(text)).then(
          () => null,
          (error: Error) => error,
        );
        expect(String(refused)).toMatch(/append-only|append only/i);
      }
      expect(await query?.("select count(*) as n from audit_entries")).toEqual(before as never);
    },
  },
  {
    name: "no password, token or hash of either is in any entry or stored answer",
    needs,
    async run({ query, secrets }) {
      const entries = JSON.stringify(await query?.("select * from audit_entries"));
      const answers = JSON.stringify(await query?.("select * from idempotency_keys"));
      expect(secrets.size).toBeGreaterThan(10);
      for (const text of [entries, answers]) {
        for (const secret of secrets) expect(text.includes(secret)).toBe(false);
        expect(text).not.toMatch(/\$argon2|eyJhbGciOi/);
      }
    },
  },
];
