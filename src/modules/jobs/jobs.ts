import { z } from "zod";
import { addMs } from "../../core/clock.ts";
import type { Db } from "../../ports/db/port.ts";
import { defineJob, handle, type JobHandler } from "../../ports/queue/define.ts";
import { KEEP_MINUTES_MS, purgeMinutes } from "../../ports/queue/minutes.ts";
import type { JobStore } from "../../ports/queue/store.ts";
import { schedule } from "../../ports/schedule/define.ts";

/** Ended jobs whose time to be kept is over, and the rates of two weeks ago. */
export const purgeJobs = defineJob({
  name: "jobs.purge",
  input: z.object({}),
  result: z.object({ deleted: z.number() }),
  unique: { key: () => "one", mode: "skip" },
  timeoutMs: 10 * 60_000,
});

export const purgeJobsOften = schedule("*/5 * * * *", purgeJobs, { input: {}, catchUp: true });

const BATCH = 1000;

export const jobsJobs = ({ db, store }: { db: Db; store: Pick<JobStore, "purge"> }): JobHandler[] => [
  handle(purgeJobs, async (_, { now, signal }) => {
    await purgeMinutes(db, addMs(now, -KEEP_MINUTES_MS));
    let deleted = 0;
    for (let count = BATCH; count === BATCH && !signal.aborted; ) {
      count = await store.purge(now, BATCH);
      deleted += count;
    }
    return { deleted };
  }),
];
