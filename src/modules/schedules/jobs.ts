import { addMs } from "../../core/clock.ts";
import { handle, type JobHandler } from "../../ports/queue/define.ts";
import { definePurge, inBatches } from "../../ports/queue/purge.ts";
import { schedule } from "../../ports/schedule/define.ts";
import type { RunStore } from "../../ports/schedule/runs.ts";

/** Runs of schedules that lie long back. */
const purgeRuns = definePurge("schedules.purge");

export const purgeRunsDaily = schedule("40 3 * * *", purgeRuns, { input: {}, catchUp: true });

const KEEP_MS = 90 * 24 * 3_600_000;

export const scheduleJobs = ({ runs }: { runs: Pick<RunStore, "purge"> }): JobHandler[] => [
  handle(purgeRuns, (_, { now, signal }) => {
    const before = addMs(now, -KEEP_MS);
    return inBatches({ signal }, (limit) => runs.purge(before, limit));
  }),
];
