import { addMs } from "../../core/clock.ts";
import type { Db } from "../../ports/db/port.ts";
import { handle, type JobHandler } from "../../ports/queue/define.ts";
import { KEEP_MINUTES_MS, purgeMinutes } from "../../ports/queue/minutes.ts";
import { definePurge, inBatches } from "../../ports/queue/purge.ts";
import type { JobStore } from "../../ports/queue/store.ts";
import { schedule } from "../../ports/schedule/define.ts";

/** Ended jobs whose time to be kept is over, and the rates of two weeks ago. */
export const purgeJobs = definePurge("jobs.purge", { timeoutMs: 10 * 60_000 });

export const purgeJobsOften = schedule("*/5 * * * *", purgeJobs, { input: {}, catchUp: true });

export const jobsJobs = ({ db, store }: { db: Db; store: Pick<JobStore, "purge"> }): JobHandler[] => [
  handle(purgeJobs, async (_, { now, signal }) => {
    await purgeMinutes(db, addMs(now, -KEEP_MINUTES_MS));
    return inBatches({ signal }, (limit) => store.purge(now, limit));
  }),
];
