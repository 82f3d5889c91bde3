/** The service's own jobs: what is over is deleted, and nothing else. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { fromInstant, toInstant } from "../../src/core/clock.ts";
import { newId } from "../../src/core/id.ts";
import { authJobs, sweepSessions } from "../../src/modules/auth/jobs.ts";
import { idempotencyJobs, sweepAnswers } from "../../src/modules/idempotency/jobs.ts";
import { jobsJobs, purgeJobs } from "../../src/modules/jobs/jobs.ts";
import { databaseDispatch } from "../../src/ports/queue/database.ts";
import type { Opened } from "../helpers/databases.ts";
import { embedded } from "../helpers/engines.ts";
import { type QueueWorld, queueWorld } from "./queue.world.ts";

const DAY = 24 * 3_600_000;

function contract(name: string, open: () => Promise<Opened>) {
  describe(name, () => {
    let opened: Opened;
    let world: QueueWorld;
    beforeAll(async () => {
      opened = await open();
      world = queueWorld(opened.db, databaseDispatch);
    }, 30_000);
    afterAll(async () => {
      await world?.end();
      await opened?.done();
    });
    const at = (days: number) => toInstant(fromInstant(world.now()) + days * DAY);
    const resultOf = async (id: string | null) => (await world.job(id)).result;

    test("sessions that ended a week ago go with their refresh tokens, however many; others stay", async () => {
      const { db, queue } = world;
      const { users, sessions, refreshTokens } = db.tables;
      const userId = newId("user");
      await db.atomic((tx) => [
        tx.insert(users).values({ id: userId, email: `${userId}@example.com`, name: "Ada", role: "user" }),
      ]);
      const session = (days: number) => ({ id: newId("sess"), userId, expiresAt: at(days), idleAt: at(days) });
      const old = Array.from({ length: 2_300 }, () => session(-8));
      const kept = [session(-6), session(1)];
      const all = [...old, ...kept];
      for (let i = 0; i < all.length; i += 500)
        await db.atomic((tx) => [
          tx.insert(sessions).values(all.slice(i, i + 500)),
          tx
            .insert(refreshTokens)
            .values(all.slice(i, i + 500).map(({ id }) => ({ id: newId("rtok"), sessionId: id, tokenHash: id }))),
        ]);
      const { id } = await queue.add(sweepSessions, {});
      await world.worker(authJobs({ db })).runOnce();
      expect(await resultOf(id)).toEqual({ deleted: 2_300 });
      const left = await db.all(db.prepare((q) => q.select({ id: sessions.id }).from(sessions))(), { fresh: true });
      expect(left.map((row) => row.id).toSorted()).toEqual(kept.map((row) => row.id).toSorted());
      const tokens = await db.all(
        db.prepare((q) => q.select({ count: sql<number>`count(*)`.mapWith(Number) }).from(refreshTokens))(),
        { fresh: true },
      );
      expect(tokens).toEqual([{ count: 2 }]);
    });

    test("stored answers whose time is over go", async () => {
      const { db, queue } = world;
      const { idempotencyKeys } = db.tables;
      const answer = (id: string, days: number) => ({
        id,
        fingerprint: "f",
        status: 200,
        headers: {},
        body: "",
        expiresAt: at(days),
      });
      await db.atomic((tx) => [
        tx.insert(idempotencyKeys).values([answer("old", -1), answer("now", 0), answer("new", 1)]),
      ]);
      const { id } = await queue.add(sweepAnswers, {});
      await world.worker(idempotencyJobs({ db })).runOnce();
      expect(await resultOf(id)).toEqual({ deleted: 2 });
      const left = await db.all(db.prepare((q) => q.select({ id: idempotencyKeys.id }).from(idempotencyKeys))(), {
        fresh: true,
      });
      expect(left).toEqual([{ id: "new" }]);
    });

    test("jobs that have been kept long enough go, the sweep's own last run too", async () => {
      const { queue, store, clock, reads } = world;
      const worker = world.worker(jobsJobs({ db: world.db, store }));
      const first = await queue.add(purgeJobs, {});
      await worker.runOnce();
      clock.move(DAY);
      await worker.beat();
      const second = await queue.add(purgeJobs, {});
      await worker.runOnce();
      expect(await reads.find(first.id ?? "")).toBeNull();
      expect((await world.job(second.id)).state).toBe("done");
    });
  });
}

for (const { name, open } of embedded) contract(name, open);
