/** Every case that is run in every cell, in this order. The last ones look back at what the others have left. */
import { auditCases } from "./cases/audit.ts";
import { bodyCases } from "./cases/bodies.ts";
import { cachedCases } from "./cases/cached.ts";
import { conditionalCases } from "./cases/conditional.ts";
import { fieldCases } from "./cases/fields.ts";
import { healthCases } from "./cases/health.ts";
import { idempotencyCases } from "./cases/idempotency.ts";
import { jobCases } from "./cases/jobs.ts";
import { limitCases } from "./cases/limits.ts";
import { listCases } from "./cases/lists.ts";
import { logCases, silenceCases } from "./cases/log.ts";
import { pathCases } from "./cases/paths.ts";
import { policyCases } from "./cases/policy.ts";
import { rawCases } from "./cases/raw.ts";
import { scenarioCases } from "./cases/scenarios.ts";
import { scheduleCases } from "./cases/schedules.ts";
import { sessionCases } from "./cases/sessions.ts";
import { tokenCases } from "./cases/tokens.ts";
import { trailCases } from "./cases/trail.ts";
import { walkCases } from "./cases/walks.ts";
import type { Case } from "./world.ts";

export const suite: readonly Case[] = [
  ...scenarioCases,
  ...sessionCases,
  ...tokenCases,
  ...limitCases,
  ...pathCases,
  ...bodyCases,
  ...fieldCases,
  ...policyCases,
  ...rawCases,
  ...walkCases,
  ...listCases,
  ...conditionalCases,
  ...cachedCases,
  ...idempotencyCases,
  ...jobCases,
  ...scheduleCases,
  ...healthCases,
  ...logCases,
  ...auditCases,
  ...trailCases,
  ...silenceCases,
];
