/** What Bun and Node have in common: from the environment to a serving app. The two differ in a `Runtime` of a few lines. */
import process from "node:process";
import { createApp } from "../app.ts";
import { systemClock } from "../core/clock.ts";
import { type Env, EnvError, parseEnv } from "../env.ts";
import { loadKeys } from "../modules/auth/keys.ts";
import type { Lifecycle } from "../modules/health/service.ts";
import type { SqliteFile } from "../ports/db/sqlite-file.ts";
import type { Passwords } from "../ports/passwords/port.ts";
import { assets } from "./assets.ts";
import { readOwnEnvironment } from "./dotenv.ts";
import { openDb } from "./open-db.ts";
import { openLimits } from "./open-limits.ts";
import { openLog } from "./open-log.ts";
import { prepareDatabase, readiness } from "./prepare.ts";
import { shutdownOnSignal } from "./shutdown.ts";

export type Fetch = (request: Request, bindings: { peer: () => string | null }) => Response | Promise<Response>;

export interface Runtime {
  openSqlite: (path: string) => SqliteFile;
  passwords: () => Promise<Passwords>;
  serve: (fetch: Fetch, env: Env) => Promise<Server>;
}

export interface Server {
  url: string;
  /** Closes the port and resolves when the last request is answered. */
  stop: () => Promise<void>;
}

export async function start(runtime: Runtime): Promise<void> {
  const env = readEnv();
  const log = await openLog(env);
  process.on("uncaughtException", (err) => {
    log.error({ err }, "uncaught exception");
    void log.flush().then(() => process.exit(1));
  });
  process.on("unhandledRejection", (err) => log.error({ err }, "unhandled rejection"));
  for (const warning of env.warnings) log.warn({}, warning);

  const lifecycle: Lifecycle = { phase: "starting" };
  const clock = systemClock;
  const [db, passwords, keys] = await Promise.all([
    openDb(env.database, runtime.openSqlite),
    runtime.passwords(),
    loadKeys(env.jwt.keys),
  ]);
  const { limits, checks: limitChecks, close: closeLimits } = await openLimits(env, { db, clock, log });
  const app = createApp({
    env,
    clock,
    log,
    db,
    limits,
    passwords,
    keys,
    checks: [...readiness(db), ...limitChecks],
    lifecycle,
    stateTtlMs: 1000,
    referenceScript: assets.referenceScript,
    version: assets.version,
  });
  const server = await runtime.serve((request, bindings) => app.fetch(request, bindings), env);
  shutdownOnSignal({
    lifecycle,
    log,
    ...env.shutdown,
    stopServer: server.stop,
    close: [closeLimits, () => db.close()],
  });

  const admin = await prepareDatabase({ env, db, passwords, clock, log, lifecycle });
  announce(env, server.url, admin);
  log.info({ url: server.url, mode: env.mode, database: db.engine }, "ready");
}

function readEnv(): Env {
  try {
    return parseEnv(readOwnEnvironment(process.cwd()));
  } catch (error) {
    if (!(error instanceof EnvError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}

/** Where to go next, for a person at a terminal. */
function announce(env: Env, url: string, admin: { email: string; password: string } | null): void {
  if (env.log.format !== "pretty" && !admin) return;
  const lines = [`Hearth is ready at ${url}`, `  API reference  ${url}/docs`];
  if (admin) lines.push(`  Administrator  ${admin.email}  ${admin.password}  (shown this once)`);
  console.log(`\n${lines.join("\n")}\n`);
}
