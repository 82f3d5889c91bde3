// What drizzle-kit reads to generate db/migrations/sqlite.

import { sqliteKit } from "./kit.ts";
import { define } from "./tables.ts";

export const { users, sessions, refreshTokens, auditEntries, idempotencyKeys, limitCounters } = define(sqliteKit);
