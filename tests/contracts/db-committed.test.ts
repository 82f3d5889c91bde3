import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { newId } from "../../src/core/id.ts";
import { type Db, must } from "../../src/ports/db/port.ts";
import type { Opened } from "../helpers/databases.ts";
import { engines } from "../helpers/engines.ts";

const person = () => {
  const id = newId("user");
  return { id, email: `${id}@example.com`, name: "Ada", role: "user" as const };
};
const entry = () => ({
  id: newId("aud"),
  actorType: "system",
  action: "user.create",
  entityType: "user",
  entityId: newId("user"),
});

function committedContract(name: string, open: () => Promise<Opened>) {
  describe(name, () => {
    let opened: Opened;
    let db: Db;
    let heard: (readonly string[])[] = [];
    let stop: () => void = () => {};
    const listen = () => {
      heard = [];
      stop = db.committed((tables) => heard.push(tables));
    };
    beforeAll(async () => {
      opened = await open();
      db = opened.db;
    }, 30_000);
    afterEach(() => stop());
    afterAll(() => opened?.done());

    test("tells the tables that a list wrote to, each once, by the time the list is answered", async () => {
      const { users, auditEntries } = db.tables;
      listen();
      await db.atomic((tx) => [
        tx.insert(users).values(person()),
        null,
        tx.insert(auditEntries).values(entry()),
        tx.insert(auditEntries).values(entry()),
      ]);
      expect(heard).toEqual([["users", "audit_entries"]]);
      await db.atomic((tx) => [must(tx.insert(users).values(person()).returning())]);
      expect(heard.slice(1)).toEqual([["users"]]);
    });

    test("the change can be read by whoever is told of it", async () => {
      const { users } = db.tables;
      const made = person();
      const { promise, resolve } = Promise.withResolvers<unknown>();
      const byId = db.prepare((q) => q.select({ name: users.name }).from(users).where(eq(users.id, made.id)))();
      stop = db.committed(() => resolve(db.all(byId, { fresh: true })));
      await db.atomic((tx) => [tx.insert(users).values(made)]);
      expect(await promise).toEqual([{ name: "Ada" }]);
    });

    test("tells nothing of a list that was undone, has only reads, or is empty", async () => {
      const { users, auditEntries } = db.tables;
      const known = person();
      await db.atomic((tx) => [tx.insert(users).values(known)]);
      listen();
      const gone = eq(users.id, newId("user"));
      await expect(
        db.atomic((tx) => [
          tx.insert(auditEntries).values(entry()),
          must(tx.update(users).set({ name: "Grace" }).where(gone).returning()),
        ]),
      ).rejects.toMatchObject({ code: "conflict" });
      await expect(db.atomic((tx) => [tx.insert(users).values(known)])).rejects.toMatchObject({ code: "conflict" });
      await db.atomic((tx) => [tx.select({ id: users.id }).from(users).where(gone)]);
      await db.atomic(() => []);
      expect(heard).toEqual([]);
    });

    test("a faulty listener hurts neither the list nor the other listeners", async () => {
      const { users } = db.tables;
      const stopFaulty = db.committed(() => {
        throw new Error("a listener's fault");
      });
      listen();
      const [rows] = await db.atomic((tx) => [tx.insert(users).values(person()).returning({ name: users.name })]);
      stopFaulty();
      expect(rows).toEqual([{ name: "Ada" }]);
      expect(heard).toEqual([["users"]]);
    });

    test("a listener that has stopped is not told, and one that listens twice is told twice", async () => {
      const { users } = db.tables;
      let count = 0;
      const on = () => void count++;
      const stops = [db.committed(on), db.committed(on)];
      const write = () => db.atomic((tx) => [tx.insert(users).values(person())]);
      await write();
      expect(count).toBe(2);
      stops[0]?.();
      await write();
      expect(count).toBe(3);
      stops[0]?.();
      stops[1]?.();
      await write();
      expect(count).toBe(3);
    });
  });
}

for (const { name, open } of engines) committedContract(name, open);
