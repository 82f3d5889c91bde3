import { CannotStart } from "../core/cannot-start.ts";
import type { Clock } from "../core/clock.ts";
import { hasCode } from "../core/error.ts";
import { pause } from "../core/timeout.ts";
import type { Env } from "../env.ts";
import { type Check, databaseChecks, type Lifecycle } from "../modules/health/service.ts";
import { sqlState } from "../ports/db/fault.ts";
import { expectedVersion, isMigrated, migrate, schemaVersion } from "../ports/db/migrate.ts";
import { capabilities, type Db } from "../ports/db/port.ts";
import type { Log } from "../ports/log/port.ts";
import type { Passwords } from "../ports/passwords/port.ts";
import { nameOf } from "./open-db.ts";

interface PrepareOptions {
  env: Env;
  db: Db;
  passwords: Passwords;
  clock: Clock;
  log: Log;
  lifecycle: Lifecycle;
}

const MAX_PAUSE_MS = 5000;

/**
 * Migrates and seeds, while the port is open already and readiness is down. A database that is away is waited for; one that refuses, or a
 * migration that cannot be applied, ends the start. Answers the administrator that was just created with a generated password.
 */
export async function prepareDatabase(options: PrepareOptions): Promise<{ email: string; password: string } | null> {
  const { env, db, log, lifecycle } = options;
  for (let wait = 250; ; wait = Math.min(wait * 2, MAX_PAUSE_MS)) {
    try {
      if (env.database.migrate && capabilities[db.engine].migratesItself) {
        const { applied, drift } = await migrate(db);
        if (applied.length > 0) log.info({ applied }, "migrations were applied");
        if (drift.length > 0) log.warn({ drift }, "database objects had been changed by hand, and were put back");
      } else await expectMigrated(options);
      const admin = await seedDatabase(options);
      if (lifecycle.phase === "starting") lifecycle.phase = "ready";
      return admin;
    } catch (err) {
      if (!hasCode(err, "unavailable")) throw refusalOf(err);
      const reason = err.cause instanceof Error ? err.cause.message : err.message;
      log.warn({ reason, retryInMs: wait }, `${nameOf(env.database)} does not answer yet`);
      await pause(wait);
    }
  }
}

/** Whoever migrates it has to do that first. What is behind, or ahead, is not ready until it fits (`readiness`), and may fit soon. */
async function expectMigrated({ env, db, log }: PrepareOptions): Promise<void> {
  const name = nameOf(env.database);
  if (!(await isMigrated(db)))
    throw new CannotStart(`${name} is not migrated: run \`bun run db:migrate\`, or set DATABASE_MIGRATE=true`);
  const [found, expected] = [await schemaVersion(db), expectedVersion(db.dialect)];
  if (found !== expected) log.warn({ found, expected }, `${name} is not at the migration that this code needs`);
}

/** Of class 28 the server refuses the account, and 3D000 says that it has no such database. */
const refusalOf = (error: unknown) =>
  /^(28|3D000)/.test(sqlState(error as Error)) ? new CannotStart(`DATABASE_URL: ${(error as Error).message}`) : error;

async function seedDatabase({ env, db, passwords, clock }: PrepareOptions) {
  if (!env.seed && !env.admin.email) return null;
  const { seed } = await import("../../db/seed.ts");
  return seed(db, { passwords, clock, mode: env.mode, admin: env.admin, samples: env.seed });
}

export const readiness = (db: Db): Check[] => databaseChecks(db, schemaVersion, expectedVersion(db.dialect));
