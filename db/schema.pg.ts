// What drizzle-kit reads to generate db/migrations/pg.

import { pgKit } from "./kit.ts";
import { define } from "./tables.ts";

export const {
  users,
  sessions,
  refreshTokens,
  auditEntries,
  auditLeaves,
  auditSeals,
  idempotencyKeys,
  limitCounters,
  policyRules,
  jobs,
  jobQueues,
  jobWorkers,
  jobMinutes,
  alerts,
  schedules,
  scheduleRuns,
} = define(pgKit);
