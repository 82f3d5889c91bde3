import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { toInstant } from "../../src/core/clock.ts";
import { unavailable } from "../../src/core/error.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { createJobEvents } from "../../src/ports/queue/events.ts";
import { createJobMinutes, purgeMinutes } from "../../src/ports/queue/minutes.ts";
import type { Opened } from "../helpers/databases.ts";
import { engines } from "../helpers/engines.ts";
import { movingClock } from "./limits.ts";

const log = createConsoleLog({ level: "silent", print: () => {} });
const all = (db: Db) =>
  db.all(db.prepare((q, { jobMinutes }) => q.select().from(jobMinutes).orderBy(jobMinutes.id))(), { fresh: true });

describe.each(engines)("the minutes of jobs on $name", ({ open }) => {
  let opened: Opened;
  beforeAll(async () => {
    opened = await open();
  }, 60_000);
  afterAll(() => opened.done());

  function world() {
    const clock = movingClock();
    const events = createJobEvents({ log });
    const about = (job: string, queue = "default") => ({
      id: "job_1",
      name: job,
      queue,
      attempt: 1,
      at: toInstant(clock.now()),
    });
    const completed = (job: string, waitMs: number, runMs: number, queue?: string) =>
      events.emit({ kind: "completed", waitMs, runMs, ...about(job, queue) });
    return { clock, events, about, completed };
  }
  const empty = () => opened.db.atomic((tx) => [tx.prepare((q, { jobMinutes }) => q.delete(jobMinutes))()]);

  test("what two processes counted in one minute is added up, and the largest times are kept", async () => {
    await empty();
    const { clock, events, about, completed } = world();
    const one = createJobMinutes({ db: opened.db, events, log, timer: false });
    completed("mail.send", 5, 50);
    completed("mail.send", 2_000, 70_000);
    await one.flush();
    completed("mail.send", 11, 9);
    const error = { code: "error", message: "no", attempt: 1 };
    events.emit({ kind: "failed", waitMs: 1, runMs: 1, error, ...about("mail.send") });
    events.emit({ kind: "retried", runAt: toInstant(clock.now()), ...about("mail.send") });
    events.emit({ kind: "failed", waitMs: 1, runMs: 1, error, ...about("mail.send") });
    events.emit({ kind: "dead", error, ...about("mail.send") });
    events.emit({ kind: "cancelled", ...about("mail.send") });
    events.emit({ kind: "started", waitMs: 1, ...about("mail.send") });
    completed("report.make", 1, 1, "slow");
    await one.close();
    completed("mail.send", 1, 1);
    clock.move(60_000);
    const two = createJobMinutes({ db: opened.db, events, log, timer: false });
    completed("mail.send", 1, 1);
    await two.close();

    const [first, second, third] = await all(opened.db);
    const start = `${toInstant(movingClock().now()).slice(0, 16)}:00.000Z`;
    expect(first).toMatchObject({ minute: start, queue: "default", name: "mail.send" });
    expect(first).toMatchObject({ done: 3, retried: 1, failed: 1, cancelled: 1 });
    expect(first).toMatchObject({ waitMs: 2_018, waitMaxMs: 2_000, runMs: 70_061, runMaxMs: 70_000 });
    expect(first).toMatchObject({
      wait10ms: 3,
      wait100ms: 1,
      wait1s: 0,
      wait10s: 1,
      run10ms: 3,
      run100ms: 1,
      runMore: 1,
    });
    expect(second).toMatchObject({ queue: "slow", name: "report.make", done: 1, minute: start });
    expect(third).toMatchObject({ name: "mail.send", done: 1 });
    await purgeMinutes(opened.db, third?.minute ?? "");
    expect(await all(opened.db)).toHaveLength(1);
  });

  test("what cannot be written is kept, and written once the database answers", async () => {
    await empty();
    const { events, completed } = world();
    let away = true;
    const db: Db = {
      ...opened.db,
      atomic: (build) => (away ? Promise.reject(unavailable("away")) : opened.db.atomic(build)),
    };
    const minutes = createJobMinutes({ db, events, log, timer: false });
    completed("mail.send", 1, 1);
    await minutes.flush();
    completed("mail.send", 1, 1);
    away = false;
    await minutes.close();
    expect((await all(opened.db))[0]).toMatchObject({ done: 2, runMs: 2 });
  });

  test("jobs that waited for months are added up to more than an integer holds", async () => {
    await empty();
    const { events, completed } = world();
    const minutes = createJobMinutes({ db: opened.db, events, log, timer: false });
    const month = 31 * 24 * 3_600_000;
    for (let i = 0; i < 1_000; i++) completed("mail.send", month, month);
    await minutes.flush();
    completed("mail.send", 3 * month, 1);
    await minutes.close();
    const [row] = await all(opened.db);
    expect(row).toMatchObject({ done: 1_001, waitMs: 1_003 * month, waitMaxMs: 3 * month });
    expect(row).toMatchObject({ runMs: 1_000 * month + 1, runMaxMs: month });
  });

  test("what the database refuses is given up and told, and what follows is written", async () => {
    await empty();
    const { events, completed } = world();
    const told: string[] = [];
    const noted = createConsoleLog({ level: "error", print: (line) => told.push(line) });
    let refuses = true;
    const db: Db = {
      ...opened.db,
      atomic: (build) => (refuses ? Promise.reject(new Error("out of range")) : opened.db.atomic(build)),
    };
    const minutes = createJobMinutes({ db, events, log: noted, timer: false });
    completed("mail.send", 1, 1);
    await minutes.flush();
    refuses = false;
    completed("mail.send", 1, 1);
    await minutes.close();
    expect(await all(opened.db)).toMatchObject([{ done: 1 }]);
    expect(told.join()).toContain("were refused by the database, and are lost");
  });

  test("thousands of types are written in a few statements", async () => {
    await empty();
    const { events, completed } = world();
    const minutes = createJobMinutes({ db: opened.db, events, log, timer: false });
    for (let i = 0; i < 1_200; i++) completed(`type.${i}`, 1, 1);
    await minutes.close();
    const [row] = await opened.db.all(
      opened.db.prepare((q, { jobMinutes }) =>
        q.select({ n: sql<number>`count(*)`.mapWith(Number) }).from(jobMinutes),
      )(),
      { fresh: true },
    );
    expect(row?.n).toBe(1_200);
  });
});
