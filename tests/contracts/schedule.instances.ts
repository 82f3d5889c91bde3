/** What the processes of schedule.instances.test.ts have in common. */
import { z } from "zod";
import { defineJob } from "../../src/ports/queue/define.ts";
import { schedule } from "../../src/ports/schedule/define.ts";

/** How much faster than others their clock runs: a minute in 10 ms, so that all that happens once a minute meets. */
export const FAST = 6_000;
/** When it begins. */
export const STEADY = Date.parse("2026-01-31T09:30:30.000Z");

const job = defineJob({ name: "instances.case", input: z.object({}) });
export const everyMinute = ["a", "b", "c"].map((name) =>
  schedule("* * * * *", job, { name, input: {}, overlap: "queue" }),
);
