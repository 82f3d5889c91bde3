/** What a commit tells by itself: PostgreSQL alone can, through both of its clients. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eq } from "drizzle-orm";
import { z } from "zod";
import { systemClock, toInstant } from "../../src/core/clock.ts";
import { newId } from "../../src/core/id.ts";
import { createMemoryBus } from "../../src/ports/bus/memory.ts";
import type { Bus } from "../../src/ports/bus/port.ts";
import { createPostgresBus } from "../../src/ports/bus/postgres.ts";
import { createBunSql } from "../../src/ports/db/bun-sql.ts";
import { type Builders, type Db, type Item, must, type Tx } from "../../src/ports/db/port.ts";
import { createPostgres } from "../../src/ports/db/postgres.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { defineJob } from "../../src/ports/queue/define.ts";
import { enqueue } from "../../src/ports/queue/enqueue.ts";
import { JOBS_TOPIC, WAKE } from "../../src/ports/queue/port.ts";
import { connect } from "../../src/ports/queue/wake.ts";
import { type OpenedPostgres, openPostgres } from "../helpers/databases.ts";
import { embedded } from "../helpers/engines.ts";
import { serverAnswers } from "../helpers/postgres.ts";
import { type Ear, listen } from "./bus.ts";

const log = createConsoleLog({ level: "error", print: () => {} });
const person = () => {
  const id = newId("user");
  return { id, email: `${id}@example.com`, name: "Ada", role: "user" as const };
};
const job = defineJob({ name: "notices.work", input: z.object({}) });
const by = () => ({
  actor: { type: "system" as const, id: "test" },
  requestId: null,
  traceId: null,
  now: toInstant(systemClock.now()),
});

function contract(name: string, driver: typeof createBunSql) {
  describe(name, () => {
    let opened: OpenedPostgres;
    let db: Db;
    let bus: Bus;
    let other: Bus;
    let ear: Ear;
    beforeAll(async () => {
      opened = await openPostgres(driver);
      const { url } = opened;
      db = opened.db;
      [bus, other] = [createPostgresBus({ url, log }), createPostgresBus({ url, log })];
      await Promise.all([bus.ready(), other.ready()]);
      ear = listen(other, "case");
    }, 30_000);
    afterAll(async () => {
      await Promise.all([bus.close(), other.close()]);
      await opened.done();
    });

    /** The list is sent with a notice of this text. */
    async function telling<const L extends readonly Item[]>(text: string, build: (tx: Tx) => L) {
      const end = db.notices(() => bus.notice("case", text));
      try {
        return await db.atomic(build);
      } finally {
        end();
      }
    }

    test("a list of any form is answered as without a notice, which another instance hears once", async () => {
      const { users } = db.tables;
      const [a, b, c, d, e] = [person(), person(), person(), person(), person()];
      const count = (q: Builders) => q.select({ id: users.id }).from(users).where(eq(users.id, e.id));
      const gone = (tx: Tx) =>
        tx.update(users).set({ name: "B" }).where(eq(users.id, "none")).returning({ id: users.id });
      expect(await telling("no rows", (tx) => [tx.insert(users).values(a)])).toEqual([[]]);
      expect(await telling("rows", (tx) => [tx.insert(users).values(b).returning({ id: users.id })])).toEqual([
        [{ id: b.id }],
      ]);
      expect(await telling("guarded", (tx) => [must(tx.insert(users).values(c).returning({ id: users.id }))])).toEqual([
        [{ id: c.id }],
      ]);
      expect(
        await telling("folded", (tx) => [
          tx.insert(db.tables.jobQueues).values({ id: "paused" }),
          tx.insert(users).values(d).returning({ id: users.id }),
        ]),
      ).toEqual([[], [{ id: d.id }]]);
      expect(await telling("in turn", (tx) => [tx.insert(users).values(e), count(tx)])).toEqual([[], [{ id: e.id }]]);
      expect(
        await telling("none touched", (tx) => [tx.insert(db.tables.jobQueues).values({ id: "q" }), gone(tx)]),
      ).toEqual([[], []]);
      const all = ["no rows", "rows", "guarded", "folded", "in turn", "none touched"];
      await ear.until(({ heard }) => heard.length >= all.length);
      expect(ear.heard.splice(0)).toEqual(all);
    });

    test("a list that fails tells nothing", async () => {
      const { users } = db.tables;
      const rename = (tx: Tx) => must(tx.update(users).set({ name: "B" }).where(eq(users.id, "none")));
      await expect(telling("one", (tx) => [rename(tx)])).rejects.toThrow("changed");
      await expect(telling("two", (tx) => [tx.insert(users).values(person()), rename(tx)])).rejects.toThrow();
      await telling("three", (tx) => [tx.insert(users).values(person())]);
      await ear.until(({ heard }) => heard.length > 0);
      expect(ear.heard.splice(0)).toEqual(["three"]);
    });

    test("the commit of a job wakes others itself, and many at once wake them no more often than is of use", async () => {
      const wakes = connect({ db, bus, worker: null, relay: null });
      const jobs = listen(other, JOBS_TOPIC);
      const noticed: boolean[] = [];
      const stop = db.committed((_, isNoticed) => noticed.push(isNoticed));
      const add = () => db.atomic((tx) => [enqueue(tx, job, {}, { by: by() })]);
      await add();
      await jobs.until(({ heard }) => heard.length === 1);
      expect([jobs.heard, noticed]).toEqual([[WAKE], [true]]);
      await Bun.sleep(20);
      await Promise.all(Array.from({ length: 20 }, add));
      await jobs.until(({ heard }) => heard.length >= 2);
      expect(noticed.slice(1).filter((isNoticed) => !isNoticed).length).toBeGreaterThan(0);
      stop();
      jobs.stop();
      wakes.close();
    });
  });
}

describe.if(await serverAnswers())("on a server", () => {
  contract("Bun.SQL", createBunSql);
  contract("postgres.js", createPostgres);
});

for (const { name, open } of embedded) {
  test(`${name}: nobody is asked, and a bus without a database has no notice`, async () => {
    const { db, done } = await open();
    const bus = createMemoryBus({ log });
    let asked = 0;
    db.notices(() => {
      asked++;
      return bus.notice("case", "text");
    });
    await db.atomic((tx) => [tx.insert(db.tables.users).values(person())]);
    expect([asked, bus.notice("case", "text")]).toEqual([0, null]);
    await bus.close();
    await done();
  });
}
