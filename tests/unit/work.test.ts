/** What is checked when the work is put together, which a process does when its port is open, and before it is ready. */
import { expect, test } from "bun:test";
import { systemClock as clock } from "../../src/core/clock.ts";
import type { Deps } from "../../src/deps.ts";
import { purgeRunsDaily } from "../../src/modules/schedules/jobs.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { createSqliteDb } from "../../src/ports/db/sqlite.ts";
import { createFileClient } from "../../src/ports/db/sqlite-file.ts";
import { createMemoryLimits } from "../../src/ports/limits/memory.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { createJobStore } from "../../src/ports/queue/store.ts";
import type { Schedule } from "../../src/ports/schedule/define.ts";
import { createScheduler } from "../../src/ports/schedule/scheduler.ts";
import { jobHandlers } from "../../src/work.ts";

const db = createSqliteDb("sqlite", createFileClient(openBunSqlite(":memory:")));
const log = createConsoleLog({ level: "silent" });

function handlersWith(...schedules: Schedule[]) {
  const scheduler = createScheduler({ db, clock, log, schedules });
  const deps = { db, clock, log, scheduler, limits: createMemoryLimits({ clock }), auditKeys: null, anchors: [] };
  return () => jobHandlers(deps as unknown as Deps, createJobStore(db));
}

test("a schedule that is right is let through", () => {
  expect(handlersWith(purgeRunsDaily)().length).toBeGreaterThan(0);
});

test("a wrong pattern or time zone stops the start, with the schedule's name", () => {
  expect(handlersWith({ ...purgeRunsDaily, name: "a.bad.hour", pattern: "0 24 * * *" })).toThrow(/a\.bad\.hour: "0 24/);
  expect(handlersWith({ ...purgeRunsDaily, name: "on.mars", timezone: "Mars/Base" })).toThrow(
    /on\.mars: "Mars\/Base" is no time zone/,
  );
});

test("so does a schedule whose job nobody handles", () => {
  const job = { ...purgeRunsDaily.job, name: "nobody.knows" };
  expect(handlersWith({ ...purgeRunsDaily, job })).toThrow(/nobody\.knows, has no handler/);
});
