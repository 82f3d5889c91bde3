/** The audit trail over the API: searched, told as a history, exported, and verified by who has nothing but the export and the keys. */
import { expect } from "bun:test";
import { sha256 } from "@noble/hashes/sha2.js";
import { createVerifier } from "../../../src/modules/audit/verify.ts";
import { importPublicKeys } from "../../../src/modules/auth/keys.ts";
import { type Case, unique, type World } from "../world.ts";

const about = (id: string) => `/v1/audit/User/${id}`;

async function verdict({ admin, guest }: World, number = 0) {
  const { text, status, headers } = await admin.api("GET", `/v1/audit-seals/${number}/export`);
  expect(status).toBe(200);
  expect(headers.get("content-type")).toStartWith("application/x-ndjson");
  const { json } = await guest()("GET", "/.well-known/audit-keys.json");
  const verifiers = await importPublicKeys(json);
  const verify = async (lines: string) => {
    const verifier = createVerifier({ verifiers, sha256 });
    for (const line of lines.trimEnd().split("\n")) await verifier.line(line);
    return verifier.end();
  };
  return { report: await verify(text), text, verify };
}

/** Writes that change nothing: they only ask. */
const asking: readonly string[] = ["explainPolicy"];

export const trailCases: Case[] = [
  {
    name: "every operation that writes has left an entry, by whichever of the cases before it succeeded",
    needs: ["sql"],
    async run({ document, writes, query }) {
      const rows = (await query?.("select distinct request_id as id from audit_entries")) ?? [];
      const told = new Set(rows.map(({ id }) => id));
      const silent: string[] = [];
      for (const [template, item] of Object.entries<Record<string, { operationId: string }>>(document.paths)) {
        const pattern = new RegExp(`^${template.replace(/\{\w+\}/g, "[^/]+")}$`);
        for (const method of ["post", "put", "patch", "delete"]) {
          const { operationId } = item[method] ?? {};
          if (!operationId || asking.includes(operationId)) continue;
          const own = writes.filter((write) => write.method.toLowerCase() === method && pattern.test(write.path));
          if (!own.some(({ requestId }) => told.has(requestId))) silent.push(`${operationId}, of ${own.length}`);
        }
      }
      expect(silent).toEqual([]);
    },
  },
  {
    name: "nothing that was done by way of the API, jobs or the clock is taken for SQL beside it",
    needs: ["sql"],
    async run({ query }) {
      const rows = await query?.("select action, entity_id from audit_entries where actor_type = 'database'");
      expect(rows).toEqual([]);
    },
  },
  {
    name: "the reason of a change is kept, in any alphabet, with who called, and the history tells the change in words",
    async run(world) {
      const { admin } = world;
      const { id } = await world.account({ remark: "first" });
      const requestId = unique();
      const headers = {
        "x-audit-reason": encodeURIComponent("Übernimmt — 引き継ぎ"),
        "user-agent": "audit-test/1",
        "x-request-id": requestId,
      };
      await admin.api("PATCH", `/v1/users/${id}`, { body: { remark: "second", role: "admin" }, headers });
      await admin.api("PATCH", `/v1/users/${id}`, { body: { name: "B" }, headers: { "x-audit-reason": "50% sure" } });
      const { data } = await admin.api("GET", about(id));
      expect(data.map(({ action }: { action: string }) => action)).toEqual([
        "user.update",
        "user.update",
        "user.create",
      ]);
      expect(data[0].reason).toBe("50% sure");
      expect(data[1]).toMatchObject({
        ...{ actorType: "user", actorId: admin.id, entityType: "User", entityId: id, requestId },
        ...{ reason: "Übernimmt — 引き継ぎ", userAgent: "audit-test/1", address: admin.address },
        oldValue: { remark: "first", role: "user" },
        newValue: { remark: "second", role: "admin" },
      });
      expect(data[1].diff.toSorted()).toEqual(['remark: "first" → "second"', 'role: "user" → "admin"']);
      expect(data[2].reason).toBeNull();
    },
  },
  {
    name: "a list is narrowed by row, actor, action and time, and walked page by page",
    async run(world) {
      const { admin } = world;
      const { id } = await world.account();
      for (const name of ["a", "b", "c", "d"]) await admin.api("PATCH", `/v1/users/${id}`, { body: { name } });
      const found: string[] = [];
      let cursor = "";
      do {
        const { data, json } = await admin.api(
          "GET",
          `/v1/audit?filter[entityId][eq]=${id}&filter[action][eq]=user.update&filter[actorId][eq]=${admin.id}&limit=3${cursor}`,
        );
        found.push(...data.map(({ newValue }: { newValue: { name: string } }) => newValue.name));
        cursor = json.meta.page.next === null ? "" : `&cursor=${json.meta.page.next}`;
      } while (cursor !== "");
      expect(found).toEqual(["d", "c", "b", "a"]);
      const [newest] = (await admin.api("GET", about(id))).data;
      const until = (op: string) => `/v1/audit?filter[entityId][eq]=${id}&filter[createdAt][${op}]=${newest.createdAt}`;
      expect((await admin.api("GET", until("lt"))).data.length).toBeLessThan(5);
      expect((await admin.api("GET", until("gte"))).data[0].id).toBe(newest.id);
      const nowhere = await admin.api("GET", "/v1/audit?filter[organizationId][eq]=org_nowhere");
      expect([nowhere.status, nowhere.data]).toEqual([200, []]);
      expect((await admin.api("GET", "/v1/audit?filter[address][eq]=x")).status).toBe(422);
    },
  },
  {
    name: "people see what they did themselves, and of it what they may read; not what was done to them",
    async run(world) {
      const person = await world.person();
      await person.api("PATCH", "/v1/me", { body: { name: "Mine" } });
      await world.admin.api("PATCH", `/v1/users/${person.id}`, { body: { remark: "a secret remark", name: "Theirs" } });
      for (const path of ["/v1/audit", about(person.id)]) {
        const { data, text } = await person.api("GET", path);
        expect(text).toContain('"Mine"');
        expect(text).not.toMatch(/a secret remark|Theirs/);
        expect(new Set(data.map(({ actorId }: { actorId: string }) => actorId))).toEqual(new Set([person.id]));
      }
      expect((await world.other.api("GET", about(person.id))).data).toEqual([]);
      expect((await world.admin.api("GET", about(person.id))).text).toContain("a secret remark");
    },
  },
  {
    name: "the trail is sealed by a job, and its export is verified with the public keys alone; that it was exported is in it",
    async run(world) {
      const { admin } = world;
      const { id } = await world.account({ name: `Sealed ${unique()}` });
      await admin.api("POST", "/v1/schedules/audit.seal/run", { body: {} });
      for (;;) {
        const { report, text, verify } = await verdict(world);
        expect(report.faults).toEqual([]);
        const line = text.split("\n").find((known) => known.includes(`"entityId":"${id}"`)) ?? "";
        if (line.startsWith('{"position"')) {
          expect(report.proved).toBe(text.split("\n").filter((known) => known.startsWith('{"position"')).length);
          expect(text.split("\n").filter((known) => known.includes('"masked":'))).toEqual([]);
          const { number = 0 } = report.newest ?? {};
          const rest = await verdict(world, number);
          expect(rest.report.faults).toEqual([]);
          expect(rest.report.start).toBe(report.newest?.size ?? 0);
          const another = `${id.slice(0, -1)}${id.endsWith("0") ? "1" : "0"}`;
          const altered = await verify(text.replace(`"entityId":"${id}"`, `"entityId":"${another}"`));
          expect(altered.faults.length).toBeGreaterThan(0);
          break;
        }
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
      const { data } = await admin.api(
        "GET",
        `/v1/audit?filter[action][eq]=audit.export&filter[actorId][eq]=${admin.id}`,
      );
      expect(data[0]).toMatchObject({ entityType: "AuditEntry", entityId: "*", newValue: null });
      expect((await admin.api("GET", "/v1/audit-seals/999999/export")).status).toBe(404);
      expect((await admin.api("GET", "/v1/audit-seals/x/export")).status).not.toBe(200);
      expect((await admin.api("HEAD", "/v1/audit-seals/0/export")).text).toBe("");
    },
  },
];
