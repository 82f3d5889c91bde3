/** Schedules under a clock that is set by hand, and jobs that run as soon as they are fired. */
import type { Db } from "../../src/ports/db/port.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import type { JobHandler } from "../../src/ports/queue/define.ts";
import type { Schedule } from "../../src/ports/schedule/define.ts";
import { createScheduler } from "../../src/ports/schedule/scheduler.ts";
import { openJobs } from "./jobs.ts";

export function openSchedules(db: Db, schedules: readonly Schedule[], handlers: readonly JobHandler[]) {
  let now = 0;
  const clock = { now: () => now };
  const jobs = openJobs(db, handlers, clock);
  const scheduler = createScheduler({ db, clock, log: createConsoleLog({ level: "warn" }), schedules });
  return {
    /** Sets the clock, fires what is due, and waits for its jobs. The first time begins. */
    async is(time: string): Promise<void> {
      now = Date.parse(time);
      await scheduler.tick();
      await jobs.settled();
    },
    over: () => jobs.done(),
  };
}
