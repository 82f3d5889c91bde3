import { z } from "zod";
import { addMs } from "../../core/clock.ts";
import { defineJob, handle, type JobHandler } from "../../ports/queue/define.ts";
import { schedule } from "../../ports/schedule/define.ts";
import type { RunStore } from "../../ports/schedule/runs.ts";

/** Runs of schedules that lie long back. */
const purgeRuns = defineJob({
  name: "schedules.purge",
  input: z.object({}),
  result: z.object({ deleted: z.number() }),
  unique: { key: () => "one", mode: "skip" },
});

export const purgeRunsDaily = schedule("40 3 * * *", purgeRuns, { input: {}, catchUp: true });

const KEEP_MS = 90 * 24 * 3_600_000;
const BATCH = 1000;

export const scheduleJobs = ({ runs }: { runs: Pick<RunStore, "purge"> }): JobHandler[] => [
  handle(purgeRuns, async (_, { now, signal }) => {
    const before = addMs(now, -KEEP_MS);
    let deleted = 0;
    for (let count = BATCH; count === BATCH && !signal.aborted; ) {
      count = await runs.purge(before, BATCH);
      deleted += count;
    }
    return { deleted };
  }),
];
