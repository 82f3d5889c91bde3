/** What SQL beside the verbs changes is in the trail; what verbs, jobs and seeds change is there once, with who did it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { z } from "zod";
import { seed } from "../../db/seed.ts";
import { systemClock } from "../../src/core/clock.ts";
import { idPattern, newId } from "../../src/core/id.ts";
import { createUsers } from "../../src/modules/users/service.ts";
import { inward } from "../../src/policy/context.ts";
import { capabilities, type Db } from "../../src/ports/db/port.ts";
import { defineJob, handle, type JobContext } from "../../src/ports/queue/define.ts";
import { abilities } from "../../src/rules.ts";
import type { Opened } from "../helpers/databases.ts";
import { engines } from "../helpers/engines.ts";
import { commandContext, entriesOf, exported, run, sealAll, verdict } from "./audit.ts";

const hidden = { hash: async () => "hash-of-a-password" } as never;
const systemAbility = abilities.abilityFor({ type: "system", id: "test" });
const usersOf = (db: Db) =>
  createUsers({
    db,
    passwords: hidden,
    revocations: { forgetUser() {} },
    abilityOf: async () => systemAbility,
  } as never);
const person = () => ({ email: `${newId("user")}@example.com`, name: "Ada", role: "user" as const, remark: null });
const context = () => ({ ...commandContext(), ability: systemAbility });

function contract(name: string, open: () => Promise<Opened>) {
  describe(name, () => {
    let opened: Opened;
    let db: Db;
    beforeAll(async () => {
      opened = await open();
      db = opened.db;
    }, 30_000);
    afterAll(() => opened?.done());
    const byHand = () => ({
      actorType: "database",
      actorId: capabilities[db.engine].namesRoles ? "postgres" : null,
    });

    test("a row that is made, changed and deleted by hand has an entry each time, and of a secret only that it changed", async () => {
      const id = newId("user");
      await run(
        db,
        `insert into users (id, email, name, role, password_hash) values ('${id}', '${id}@x', 'Ada', 'user', 'h1')`,
      );
      // Entries of one millisecond have no order.
      await Bun.sleep(2);
      await run(db, `update users set role = 'admin', password_hash = 'h2' where id = '${id}'`);
      await Bun.sleep(2);
      await run(db, `update users set updated_at = updated_at where id = '${id}'`);
      await Bun.sleep(2);
      await run(db, `delete from users where id = '${id}'`);
      const entries = await entriesOf(db, id);
      expect(entries).toMatchObject([
        {
          ...byHand(),
          action: "user.create",
          oldValue: null,
          newValue: { name: "Ada", role: "user", passwordHash: "[changed]" },
        },
        {
          ...byHand(),
          action: "user.update",
          oldValue: { role: "user", passwordHash: "[changed]" },
          newValue: { role: "admin", passwordHash: "[changed]" },
        },
        { ...byHand(), action: "user.delete", oldValue: { name: "Ada", role: "admin" }, newValue: null },
      ]);
      expect(Object.keys(entries[1]?.newValue ?? {}).sort()).toEqual(["passwordHash", "role"]);
      for (const entry of entries) expect(entry.id).toMatch(idPattern("aud"));
      expect(JSON.stringify(entries)).not.toMatch(/"h[12]"/);
      expect(new Set(entries.map((entry) => entry.id)).size).toBe(3);
    });

    test("one statement on many rows is an entry a row, and is undone with them", async () => {
      const ids = Array.from({ length: 5 }, () => newId("user"));
      const values = ids.map((id) => `('${id}', '${id}@x', 'Many', 'user')`);
      await run(db, `insert into users (id, email, name, role) values ${values.join(", ")}`);
      await run(db, `update users set name = 'More', version = version + 1 where name = 'Many'`);
      for (const id of ids)
        expect((await entriesOf(db, id)).map(({ action }) => action).sort()).toEqual(["user.create", "user.update"]);
      await expect(
        db.exclusively(async (script) => {
          await script(`update users set name = 'Undone' where name = 'More'`);
          throw new Error("enough");
        }),
      ).rejects.toThrow("enough");
      for (const id of ids) expect(await entriesOf(db, id)).toHaveLength(2);
    });

    test("to truncate what the trail tells of is refused, with what to do instead", async () => {
      if (db.dialect !== "pg") return;
      const { id } = await usersOf(db).create(context(), person());
      for (const text of ["truncate users cascade", "truncate idempotency_keys, users cascade"])
        await expect(run(db, text)).rejects.toThrow("users is told of by the audit trail: delete its rows");
      expect(await entriesOf(db, id)).toHaveLength(1);
      await run(db, "truncate idempotency_keys");
    });

    test("what a verb does is there once, as done by its actor", async () => {
      const users = usersOf(db);
      const made = await users.create(context(), { ...person(), password: "a long enough phrase" });
      await users.update(context(), made.id, { name: "B" }, null);
      await users.update(context(), made.id, { role: "admin" }, null);
      await users.remove(context(), made.id, null);
      const entries = await entriesOf(db, made.id);
      expect(entries.map(({ actorType, actorId, action }) => [actorType, actorId, action])).toEqual(
        ["user.create", "user.update", "user.update", "user.delete"].map((action) => ["system", "command", action]),
      );
    });

    test("a change by hand between two by verbs is seen, and does not hide them", async () => {
      const users = usersOf(db);
      const { id } = await users.create(context(), person());
      await run(db, `update users set remark = 'by hand' where id = '${id}'`);
      await users.update(context(), id, { name: "After" }, null);
      expect((await entriesOf(db, id)).map(({ actorType }) => actorType).sort()).toEqual([
        "database",
        "system",
        "system",
      ]);
    });

    test("a job acts as whoever caused it, with the request that did", async () => {
      const users = usersOf(db);
      const { id } = await users.create(context(), person());
      const rename = defineJob({ name: "test.rename", input: z.object({ id: z.string() }) });
      const handler = handle(rename, async (input, by: JobContext) => {
        const ctx = inward(by, { actor: by.actor, ability: abilities.abilityFor(by.actor) });
        await users.update(ctx, input.id, { name: "By a job" }, null);
      });
      const actor = { type: "user", id, role: "user", sessionId: null } as const;
      const cause = {
        actor,
        requestId: "request-1",
        traceId: "0".repeat(31).concat("1"),
        now: "2026-11-22T09:30:00.000Z",
      };
      const attempt = { ...cause, jobId: "job_1", attempt: 1, signal: new AbortController().signal, progress() {} };
      await handler.run({ id } as never, attempt);
      expect((await entriesOf(db, id)).find(({ action }) => action === "user.update")).toMatchObject({
        ...{ actorType: "user", actorId: id, requestId: "request-1", newValue: { name: "By a job" } },
      });
    });

    test("what is seeded is told by its own entries alone", async () => {
      const admin = { email: "seeded@example.com", password: null };
      await seed(db, { passwords: hidden, clock: systemClock, mode: "development", admin, samples: true });
      const { users } = db.tables;
      const rows = await db.all(db.prepare((q) => q.select({ id: users.id }).from(users))(), { fresh: true });
      const seeded: string[] = [];
      for (const { id } of rows) {
        const entries = await entriesOf(db, id);
        if (!entries.some(({ actorId }) => actorId === "seed")) continue;
        seeded.push(id);
        expect([id, entries.map(({ actorType }) => actorType)]).toEqual([id, entries.map(() => "system")]);
      }
      expect(seeded.length).toBeGreaterThan(3);
    });

    test("entries that triggers made are sealed and proved as all others", async () => {
      const { sealed } = await sealAll(db);
      const { proved, faults } = await verdict(await exported(db));
      expect(proved).toBe(sealed);
      // What was seeded bears the times of its stories, and nothing was sealed before.
      expect(faults).toEqual([]);
    });
  });
}

for (const { name, open } of engines) contract(name, open);
