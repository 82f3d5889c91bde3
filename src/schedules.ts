/** Every schedule of this service. Each stands beside its job; what they mean is told in src/ports/schedule/port.ts. */
import { sealMinutely, sweepEntriesDaily } from "./modules/audit/jobs.ts";
import { sweepSessionsDaily } from "./modules/auth/jobs.ts";
import { sweepAnswersHourly } from "./modules/idempotency/jobs.ts";
import { purgeJobsOften } from "./modules/jobs/jobs.ts";
import { sweepLimitsOften } from "./modules/limits/jobs.ts";
import { purgeRunsDaily } from "./modules/schedules/jobs.ts";
import type { Schedule } from "./ports/schedule/define.ts";

export const schedules: readonly Schedule[] = [
  sweepSessionsDaily,
  sweepAnswersHourly,
  purgeJobsOften,
  sweepLimitsOften,
  purgeRunsDaily,
  sealMinutely,
  sweepEntriesDaily,
];
