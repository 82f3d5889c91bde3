/** Schedules of the service, fired by the clock, to the end of their jobs. */
import { expect, test } from "bun:test";
import { newId } from "../../src/core/id.ts";
import { limitJobs, sweepLimitsOften } from "../../src/modules/limits/jobs.ts";
import { purgeRunsDaily, scheduleJobs } from "../../src/modules/schedules/jobs.ts";
import { createDatabaseLimits } from "../../src/ports/limits/database.ts";
import { createRunStore } from "../../src/ports/schedule/runs.ts";
import { schedules } from "../../src/schedules.ts";
import { embedded } from "../helpers/engines.ts";
import { openSchedules } from "../helpers/schedules.ts";

test("of the service's own schedules the newest missed run is made up for: a short stop raises no alert", () => {
  expect(schedules.filter(({ catchUp }) => !catchUp).map(({ name }) => name)).toEqual([]);
});

for (const { name: engine, open } of embedded) {
  test(`on ${engine} free counters go within five minutes, and runs after 90 days, while jobs go on in between`, async () => {
    const { db, done } = await open();
    const { limitCounters, scheduleRuns } = db.tables;
    const read = { fresh: true };
    const handlers = [
      ...limitJobs({ limits: createDatabaseLimits({ db }) }),
      ...scheduleJobs({ runs: createRunStore(db) }),
    ];
    const clock = openSchedules(db, [sweepLimitsOften, purgeRunsDaily], handlers);
    const run = (id: string, dueAt: string) => ({
      id,
      createdAt: dueAt,
      scheduleName: "gone",
      dueAt,
      cause: "cron" as const,
      outcome: "done" as const,
    });
    const [old, kept] = [newId("run"), newId("run")];
    await db.atomic((tx) => [
      tx.insert(limitCounters).values([
        { id: "free", emptyAt: 1 },
        { id: "in use", emptyAt: Date.now() + 3_600_000 },
      ]),
      tx.insert(scheduleRuns).values([run(old, "2025-11-02T03:39:59.000Z"), run(kept, "2025-11-02T03:40:01.000Z")]),
    ]);

    await clock.is("2026-01-31T03:36:00Z");
    await clock.is("2026-01-31T03:40:00Z");
    const counters = await db.all(db.prepare((q) => q.select({ id: limitCounters.id }).from(limitCounters))(), read);
    expect(counters).toEqual([{ id: "in use" }]);
    const runs = await db.all(db.prepare((q) => q.select().from(scheduleRuns).orderBy(scheduleRuns.dueAt))(), read);
    expect(runs.map(({ scheduleName }) => scheduleName)).toEqual(["gone", "limits.sweep", "schedules.purge"]);
    expect(runs[0]?.id).toBe(kept);
    await clock.is("2026-01-31T03:44:00Z");
    const ended = await db.all(
      db.prepare((q) => q.select({ outcome: scheduleRuns.outcome }).from(scheduleRuns))(),
      read,
    );
    expect(ended).toEqual([{ outcome: "done" }, { outcome: "done" }, { outcome: "done" }]);
    await clock.over();
    await done();
  }, 30_000);
}
