/** What is remembered of a bearer, while nobody tells of a change. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { isNull } from "drizzle-orm";
import { recent } from "../../src/modules/auth/recent.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { movingClock } from "../contracts/limits.ts";
import { openApp } from "../helpers/app.ts";
import { type Opened, openSqlite } from "../helpers/databases.ts";

const STATE_TTL_MS = 1000;
let opened: Opened;
/** Looks for a session; while `held`, none is answered. */
let looks: number;
let held: Promise<void> | null = null;

beforeAll(async () => {
  opened = await openSqlite("memory", openBunSqlite);
});
afterAll(() => opened.done());

const watched = (db: Db): Db => ({
  ...db,
  all: async (statement, options) => {
    if ((statement as { compiled: { text: string } }).compiled.text.includes('"sessions"')) {
      looks++;
      await held;
    }
    return db.all(statement, options);
  },
});

test("a bearer who is busy is looked up ahead, once and without a request that waits, and a change is seen in time", async () => {
  const clock = movingClock();
  const { ask, admin } = await openApp({ db: watched(opened.db), clock, mode: "test", stateTtlMs: STATE_TTL_MS });
  const status = async () => (await ask(admin, "GET", "/v1/me")).status;
  expect(await status()).toBe(200);
  looks = 0;

  clock.move(STATE_TTL_MS / 2);
  expect([await status(), looks]).toEqual([200, 0]);

  // Beside the service, so that nobody tells of it.
  const { sessions } = opened.db.tables;
  await opened.db.atomic((tx) => [
    tx.update(sessions).set({ revokedAt: "2026-01-01T00:00:00.000Z" }).where(isNull(sessions.revokedAt)),
  ]);
  let release = () => {};
  held = new Promise((resolve) => {
    release = resolve;
  });
  clock.move(STATE_TTL_MS * 0.4);
  expect([await status(), await status(), looks]).toEqual([200, 200, 1]);

  release();
  held = null;
  for (let i = 0; i < 100 && (await status()) === 200; i++) await Bun.sleep(5);
  expect(await status()).toBe(401);
});

test("what has expired is let go, whether or not it is asked for again", async () => {
  const clock = movingClock();
  const memory = recent<object>(10, clock);
  const held = (() => {
    const value = { ability: "to do things" };
    memory.set("gone", value, clock.now() + 1000);
    return new WeakRef(value);
  })();
  memory.set("kept", {}, clock.now() + 3000);
  await Bun.sleep(0);

  clock.move(2000);
  memory.sweep();
  for (let i = 0; i < 10 && held.deref(); i++) {
    await Bun.sleep(1);
    Bun.gc(true);
  }
  expect(held.deref()).toBeUndefined();
  expect(memory.get("kept")).toBeDefined();
});
