// What drizzle-kit reads to generate db/migrations/sqlite.

import { sqliteKit } from "./kit.ts";
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
} = define(sqliteKit);
