/** As what else somebody acts: told by each entry, kept by jobs, searched by organization, and known to stored rules. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { z } from "zod";
import type { Actor, Person } from "../../src/core/actor.ts";
import { newId } from "../../src/core/id.ts";
import type { ListInput } from "../../src/core/page.ts";
import { canonical } from "../../src/modules/audit/entry.ts";
import { createAudit } from "../../src/modules/audit/service.ts";
import { audit } from "../../src/modules/audit/statement.ts";
import type { StoredRule } from "../../src/policy/ability.ts";
import { inward } from "../../src/policy/context.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { defineJob } from "../../src/ports/queue/define.ts";
import { enqueue } from "../../src/ports/queue/enqueue.ts";
import { abilities, subjects } from "../../src/rules.ts";
import { type Opened, openPglite, openPostgres, openSqlite } from "../helpers/databases.ts";
import { serverAnswers } from "../helpers/postgres.ts";
import { entryOf, exported, now, sealAll, verdict } from "./audit.ts";

const person: Person = { type: "user", id: newId("user"), role: "user", sessionId: null };
const acting: Person = { ...person, impersonatorId: "user_behind", apiKeyId: "key_1", organizationId: "org_1" };
const admin: Person = { type: "user", id: newId("user"), role: "admin", sessionId: null };

const context = (actor: Actor, stored: readonly StoredRule[] = []) =>
  inward(
    { requestId: null, traceId: null, now: now(), signal: new AbortController().signal },
    { actor, ability: abilities.abilityFor(actor, stored) },
  );
const task = defineJob({ name: "test.acting", input: z.object({}) });
const change = (id: string) => ({ action: "thing.update", entity: { type: "Thing", id } });

const listed = (organization: string | null): ListInput => ({
  ...{ limit: 50, sort: { field: "createdAt", descending: true }, fields: null, count: false, after: null },
  filters: organization === null ? [] : [{ field: "organizationId", op: "eq", value: organization }],
});

/** Whoever may see what is done in their organization. */
const ofOwn = (inverted: boolean, conditions: StoredRule["conditions"]): StoredRule => ({
  ...{ id: newId("rule"), scopeType: "role", subject: "AuditEntry", actions: ["list", "read"], fields: null },
  ...{ inverted, conditions },
});
const own = { organizationId: { $actor: "organizationId" } };

function contract(name: string, open: () => Promise<Opened>) {
  describe(name, () => {
    let opened: Opened;
    let db: Db;
    beforeAll(async () => {
      opened = await open();
      db = opened.db;
      await db.atomic((tx) => [
        audit(tx, context(acting), change("in")),
        audit(tx, context({ ...acting, organizationId: "org_2" }), change("other")),
        audit(tx, context({ type: "system", id: "clock" }), change("out")),
        enqueue(tx, task, {}, { by: context(acting) }),
      ]);
    }, 30_000);
    afterAll(() => opened?.done());
    const found = async (actor: Actor, organization: string | null = null, stored: StoredRule[] = []) => {
      const { items } = await createAudit({ db, subjects }).list(context(actor, stored), listed(organization));
      return items.map(({ entityId }) => entityId).toSorted();
    };

    test("an entry tells it, its seal is over it, and it is searched by organization", async () => {
      const { items } = await createAudit({ db, subjects }).list(context(admin), listed("org_1"));
      expect(items).toMatchObject([{ entityId: "in", impersonatorId: "user_behind", apiKeyId: "key_1" }]);
      expect(await found(admin, "org_2")).toEqual(["other"]);
      expect(await found(admin, "org_3")).toEqual([]);
      await sealAll(db);
      const lines = await exported(db);
      const line = lines.findIndex((text) => text.includes('"organizationId":"org_1"'));
      expect((await verdict(lines)).faults).toEqual([]);
      const moved = lines.with(line, (lines[line] as string).replace("org_1", "org_2"));
      expect((await verdict(moved)).faults).toMatchObject([{ kind: "altered" }]);
    });

    test("a search by organization reads its index alone", async () => {
      const text =
        "select * from audit_entries where organization_id = 'org_1' order by created_at desc, id desc limit 50";
      const plan = await db.exclusively(async (run) => {
        if (db.dialect === "sqlite") return run(`explain query plan ${text}`, []);
        await run("set local enable_seqscan = off");
        return run(`explain ${text}`, []);
      });
      expect(plan.join("\n")).toContain("audit_entries_organization_index");
      expect(plan.join("\n")).not.toMatch(/sort|temp b-tree/i);
    });

    test("a job keeps it for what it does", async () => {
      const { jobs } = db.tables;
      const rows = await db.all(db.prepare((q) => q.select({ actor: jobs.actor }).from(jobs))(), { fresh: true });
      expect(rows).toEqual([{ actor: acting }]);
    });

    test("a stored rule about the actor's organization gives nothing to one who acts in none", async () => {
      const mine = { ...person, id: newId("user") };
      const of = (organizationId: string): Actor => ({ ...mine, organizationId });
      expect(await found(of("org_1"), null, [ofOwn(false, own)])).toEqual(["in"]);
      expect(await found(of("org_3"), null, [ofOwn(false, own)])).toEqual([]);
      for (const conditions of [own, { $nor: [own] }, { organizationId: { $ne: { $actor: "organizationId" } } }])
        expect(await found(mine, null, [ofOwn(false, conditions)])).toEqual([]);
    });

    test("one that refuses what is of others refuses it also to one who acts in none", async () => {
      const others = { organizationId: { $ne: { $actor: "organizationId" } } };
      expect(await found({ ...admin, organizationId: "org_1" }, null, [ofOwn(true, others)])).toEqual(["in"]);
      expect(await found(admin, null, [ofOwn(true, others)])).toEqual([]);
      expect(await found(admin, null, [ofOwn(true, own)])).toEqual(["in", "other", "out"]);
    });
  });
}

contract("PGlite", () => openPglite("memory", openBunSqlite));
contract("bun:sqlite", () => openSqlite("memory", openBunSqlite));
if (await serverAnswers()) contract("PostgreSQL", openPostgres);

test("an entry of nobody else's doing is hashed as it was before this was told", () => {
  const entry = { ...entryOf(1), id: "aud_1", createdAt: "2026-01-31T09:30:00.000Z" };
  const empty = { impersonatorId: null, apiKeyId: null, organizationId: null };
  const rest = { reason: null, requestId: "r", traceId: null, address: null, userAgent: null };
  expect(canonical({ ...entry, ...empty, ...rest, oldValue: null, newValue: { name: "A" } })).toBe(
    '{"action":"user.update","actorId":"user_1","actorType":"user","createdAt":"2026-01-31T09:30:00.000Z","entityId":"user_1","entityType":"User","id":"aud_1","newValue":{"name":"A"},"requestId":"r"}',
  );
});
