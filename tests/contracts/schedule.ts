/** What schedules do on every engine, under whatever runtime: named cases that throw, and know no test runner. */
import { runCases } from "./schedule.runs.ts";
import { timeCases } from "./schedule.times.ts";
import type { ScheduleCase } from "./schedule.world.ts";

export const scheduleCases: readonly ScheduleCase[] = [...runCases, ...timeCases];
