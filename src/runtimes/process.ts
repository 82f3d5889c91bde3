/** What Bun and Node have in common: from the environment to a serving app. The two differ in a `Runtime` of a few lines. */
import process from "node:process";
import { createApp } from "../app.ts";
import { CannotStart } from "../core/cannot-start.ts";
import { systemClock } from "../core/clock.ts";
import type { Hmac } from "../core/hmac.ts";
import type { Deps } from "../deps.ts";
import { type Env, EnvError, parseEnv } from "../env.ts";
import { loadKeys } from "../modules/auth/keys.ts";
import { jobCheck, type Lifecycle, scheduleCheck } from "../modules/health/service.ts";
import type { Log } from "../ports/log/port.ts";
import type { Passwords } from "../ports/passwords/port.ts";
import { createScheduler } from "../ports/schedule/scheduler.ts";
import { schedules } from "../schedules.ts";
import { createWork, type Work } from "../work.ts";
import { refuseArguments } from "./arguments.ts";
import { assets } from "./assets.ts";
import { readOwnEnvironment } from "./dotenv.ts";
import { listen } from "./listen.ts";
import { openAlerts } from "./open-alerts.ts";
import { openAnchors } from "./open-anchors.ts";
import { openAuditKeys } from "./open-audit.ts";
import { openBus } from "./open-bus.ts";
import { openCache } from "./open-cache.ts";
import { type Drivers, openDb, openLeases } from "./open-db.ts";
import { openLimits } from "./open-limits.ts";
import { openLog } from "./open-log.ts";
import { openDispatch } from "./open-queue.ts";
import { prepareDatabase, readiness } from "./prepare.ts";
import { shutdownOnSignal } from "./shutdown.ts";

export type Fetch = (request: Request, bindings: { peer: () => string | null }) => Response | Promise<Response>;

export interface Runtime extends Drivers {
  hmac: Hmac;
  passwords: () => Promise<Passwords>;
  serve: (fetch: Fetch, env: Env) => Promise<Server>;
}

export interface Server {
  url: string;
  /** Closes the port and resolves when the last request is answered. */
  stop: () => Promise<void>;
}

export async function start(runtime: Runtime): Promise<void> {
  refuseArguments();
  const env = readEnv();
  const log = await openLog(env);
  process.on("uncaughtException", (err) => {
    log.error({ err }, "uncaught exception");
    void log.flush().then(() => process.exit(1));
  });
  process.on("unhandledRejection", (err) => log.error({ err }, "unhandled rejection"));
  for (const warning of env.warnings) log.warn({}, warning);
  await run(runtime, env, log).catch(async (err) => {
    // What has been opened by then, connections among it, would keep the process alive.
    if (err instanceof CannotStart) log.error(err.code ? { code: err.code } : {}, `the start failed: ${err.message}`);
    else log.error({ err }, "the start failed");
    await log.flush();
    process.exit(1);
  });
}

/**
 * What the first answer does not need is done when the port is open, in steps, between which requests are answered: those that need no
 * database at once, the others with 503 until readiness says that they are served.
 */
async function run(runtime: Runtime, env: Env, log: Log): Promise<void> {
  const lifecycle: Lifecycle = { phase: "starting" };
  const clock = systemClock;
  const listening = Promise.withResolvers<void>();
  const [db, passwords, keys, auditKeys] = await Promise.all([
    openDb(env.database, runtime),
    runtime.passwords(),
    loadKeys(env.jwt.keys),
    openAuditKeys(env),
  ]);
  if (!auditKeys) log.warn({}, "AUDIT_KEYS is not set: the audit trail is not sealed");
  const leases = env.role === "api" ? db : await openLeases(env.database, runtime, db);
  const closeDatabase = async () => void (await Promise.all([...new Set([leases, db])].map((way) => way.close())));
  const bus = await openBus(env, log, listening.promise);
  const cache = await openCache(env, { bus, clock, log });
  const { limits, checks: limitChecks, close: closeLimits } = await openLimits(env, { db, clock, log });
  const scheduler = createScheduler({ db, clock, log, schedules });
  const deps: Deps = {
    env,
    clock,
    log,
    db,
    bus,
    alerts: await openAlerts(env, { clock, log }),
    cache,
    limits,
    passwords,
    scheduler,
    keys,
    hmac: runtime.hmac,
    auditKeys,
    anchors: await openAnchors(env, { file: openFileAnchor }),
    checks: [
      ...readiness(db),
      ...limitChecks,
      scheduleCheck(scheduler, env.role === "worker"),
      jobCheck(db, clock, env.alerts.waitingMs),
    ],
    lifecycle,
    stateTtlMs: 1000,
    referenceScript: assets.referenceScript,
    version: assets.version,
  };
  const app = createApp(deps);
  const server = await listen(runtime, (request, bindings) => app.fetch(request, bindings), env);
  let work: Work | null = null;
  shutdownOnSignal({
    lifecycle,
    log,
    ...env.shutdown,
    stopServer: async () => {
      const { graceMs, leadMs } = env.shutdown;
      await Promise.all([server.stop(), work?.stop(Math.max(0, graceMs - leadMs - CLOSING_MS))]);
    },
    close: [() => cache.close(), () => bus.close(), closeLimits, closeDatabase],
  });

  await turn();
  const dispatch = await openDispatch(env, log);
  work = createWork(deps, { dispatch, leases });
  await turn();
  listening.resolve();
  const admin = await prepareDatabase({ env, db, passwords, clock, log, lifecycle });
  // A signal that came meanwhile has stopped it already.
  if (isStopping(lifecycle)) return;
  await work.start();
  announce(env, server.url, admin);
  log.info({ url: server.url, mode: env.mode, database: db.engine, bus: env.bus, role: env.role }, "ready");
}

const isStopping = ({ phase }: Lifecycle) => phase === "draining";

const openFileAnchor = async (path: string) => (await import("../ports/anchor/node-file.ts")).createFileAnchor(path);

/** Lets the event loop look at what has come in. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

/** Of the grace time, what giving back unfinished jobs and closing connections may take. */
const CLOSING_MS = 3000;

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
  const lines = [`Hearth is ready at ${url}`];
  if (env.role !== "worker") lines.push(`  API reference  ${url}/docs`);
  if (admin) lines.push(`  Administrator  ${admin.email}  ${admin.password}  (shown this once)`);
  console.log(`\n${lines.join("\n")}\n`);
}
