import { z } from "zod";
import type { Limits } from "../../ports/limits/port.ts";
import { defineJob, handle, type JobHandler } from "../../ports/queue/define.ts";
import { schedule } from "../../ports/schedule/define.ts";

/** Counters of limits that are free again. */
const sweepLimits = defineJob({
  name: "limits.sweep",
  input: z.object({}),
  unique: { key: () => "one", mode: "skip" },
});

export const sweepLimitsOften = schedule("*/5 * * * *", sweepLimits, { input: {}, catchUp: true });

export const limitJobs = ({ limits }: { limits: Pick<Limits, "sweep"> }): JobHandler[] => [
  handle(sweepLimits, () => limits.sweep()),
];
