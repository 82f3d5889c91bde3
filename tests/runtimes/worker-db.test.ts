/** The scope of a Worker's request, on a real PostgreSQL: what goes on after the answer still has the database, and then nothing has. */
import { describe, expect, test } from "bun:test";
import { parseEnv } from "../../src/env.ts";
import { generateKeys } from "../../src/modules/auth/keys.ts";
import { openWorkerDb } from "../../src/runtimes/worker-db.ts";
import { ownDatabase, serverAnswers } from "../helpers/postgres.ts";

describe.if(await serverAnswers())("a request of a Worker on PostgreSQL", () => {
  test("keeps its connection for the work that it leaves behind, and what that leaves behind, and gives it back after that", async () => {
    const own = await ownDatabase();
    const settings = {
      NODE_ENV: "test",
      PUBLIC_URL: "http://x",
      JWT_KEYS: JSON.stringify({ keys: await generateKeys() }),
    };
    const { db, scoped, background } = openWorkerDb(parseEnv({ ...settings, DATABASE_URL: own.url }, "worker"), {});
    const order: string[] = [];
    const answered = Promise.withResolvers<void>();
    const afterwards: Promise<void>[] = [];
    const later = (promise: Promise<void>) => void afterwards.push(promise.then(() => void order.push("given back")));
    let late: Promise<void> | undefined;

    await scoped(async () => {
      await db.ping();
      background(
        answered.promise.then(() => {
          order.push("ran");
          // As a job does that is given a stale value.
          background(
            db
              .ping()
              .then(() => db.ping())
              .then(() => order.push("refreshed")),
          );
        }),
      );
      // Nobody waits for this one.
      late = answered.promise.then(() => Promise.all(afterwards)).then(() => db.ping());
      late.catch(() => {});
      order.push("answered");
    }, later);
    answered.resolve();
    await Promise.all(afterwards);
    expect(order).toEqual(["answered", "ran", "refreshed", "given back"]);
    await expect(late).rejects.toMatchObject({ code: "unavailable" });
    await own.drop();
  });

  test("that leaves nothing behind ends with its answer", async () => {
    const own = await ownDatabase();
    const settings = {
      NODE_ENV: "test",
      PUBLIC_URL: "http://x",
      JWT_KEYS: JSON.stringify({ keys: await generateKeys() }),
    };
    const { db, scoped } = openWorkerDb(parseEnv({ ...settings, DATABASE_URL: own.url }, "worker"), {});
    const answered = Promise.withResolvers<void>();
    const afterwards: Promise<void>[] = [];
    let late: Promise<void> | undefined;
    await scoped(
      async () => {
        await db.ping();
        late = answered.promise.then(() => db.ping());
        late.catch(() => {});
      },
      (promise) => void afterwards.push(promise),
    );
    answered.resolve();
    await expect(late).rejects.toMatchObject({ code: "unavailable" });
    expect(afterwards).toHaveLength(1);
    await Promise.all(afterwards);
    await own.drop();
  });
});
