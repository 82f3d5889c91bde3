/** What every dispatch of the queue does on every engine, under whatever runtime: named cases that throw, and know no test runner. */
import { boundCases } from "./queue.bounds.ts";
import { groupCases } from "./queue.groups.ts";
import { jobCases } from "./queue.jobs.ts";
import { keptCases } from "./queue.kept.ts";
import { operateCases } from "./queue.operate.ts";
import { outcomeCases } from "./queue.outcomes.ts";
import { poisonCases } from "./queue.poison.ts";
import { uniqueCases } from "./queue.unique.ts";
import { workerCases } from "./queue.workers.ts";
import type { QueueCase } from "./queue.world.ts";

export const queueCases: readonly QueueCase[] = [
  ...jobCases,
  ...boundCases,
  ...groupCases,
  ...uniqueCases,
  ...outcomeCases,
  ...poisonCases,
  ...keptCases,
  ...workerCases,
  ...operateCases,
];
