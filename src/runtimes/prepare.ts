import process from "node:process";
import type { Clock } from "../core/clock.ts";
import { hasCode } from "../core/error.ts";
import type { Env } from "../env.ts";
import { type Check, databaseChecks, type Lifecycle } from "../modules/health/service.ts";
import { expectedVersion, migrate, schemaVersion } from "../ports/db/migrate.ts";
import { capabilities, type Db } from "../ports/db/port.ts";
import type { Log } from "../ports/log/port.ts";
import type { Passwords } from "../ports/passwords/port.ts";

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
 * Migrates and seeds, while the port is open already and readiness is down. A database that is away is waited for; a migration that
 * cannot be applied ends the process. Answers the administrator that was just created with a generated password.
 */
export async function prepareDatabase(options: PrepareOptions): Promise<{ email: string; password: string } | null> {
  const { env, db, log, lifecycle } = options;
  for (let pause = 250; ; pause = Math.min(pause * 2, MAX_PAUSE_MS)) {
    try {
      if (env.database.migrate && capabilities[db.engine].migratesItself) {
        const { applied, drift } = await migrate(db);
        if (applied.length > 0) log.info({ applied }, "migrations were applied");
        if (drift.length > 0) log.warn({ drift }, "database objects had been changed by hand, and were put back");
      }
      const admin = await seedDatabase(options);
      if (lifecycle.phase === "starting") lifecycle.phase = "ready";
      return admin;
    } catch (err) {
      if (!hasCode(err, "unavailable")) {
        log.error({ err }, "the database could not be prepared");
        await log.flush();
        process.exit(1);
      }
      log.warn({ err, retryInMs: pause }, "the database does not answer yet");
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

async function seedDatabase({ env, db, passwords, clock }: PrepareOptions) {
  if (!env.seed && !env.admin.email) return null;
  const { seed } = await import("../../db/seed.ts");
  return seed(db, { passwords, clock, mode: env.mode, admin: env.admin, samples: env.seed });
}

export const readiness = (db: Db): Check[] => databaseChecks(db, schemaVersion, expectedVersion(db.dialect));
