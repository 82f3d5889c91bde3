/** Cloudflare Workers: the app is built by an isolate's first request and serves all that follow. */
import argon2 from "@phi-ag/argon2/argon2.wasm";
import { version } from "../../package.json";
import { type App, createApp } from "../app.ts";
import { systemClock as clock } from "../core/clock.ts";
import { pause } from "../core/timeout.ts";
import type { Deps } from "../deps.ts";
import { type Env, EnvError, parseEnv } from "../env.ts";
import { importKeys, loadKeys } from "../modules/auth/keys.ts";
import { databaseChecks, jobCheck, scheduleCheck } from "../modules/health/service.ts";
import { createMemoryBus } from "../ports/bus/memory.ts";
import { createKvStore } from "../ports/cache/kv.ts";
import { type CacheOptions, createCache } from "../ports/cache/manager.ts";
import { expectedVersion, schemaVersion } from "../ports/db/migrate.ts";
import { createDatabaseLimits } from "../ports/limits/database.ts";
import { whenDown } from "../ports/limits/when-down.ts";
import { createConsoleLog } from "../ports/log/console.ts";
import type { Log } from "../ports/log/port.ts";
import { createWasmPasswords } from "../ports/passwords/wasm.ts";
import { createCloudflareCarrier, type QueueBatch } from "../ports/queue/cloudflare.ts";
import { databaseDispatch } from "../ports/queue/database.ts";
import { createJobEvents } from "../ports/queue/events.ts";
import type { Dispatch } from "../ports/queue/port.ts";
import { createJobStore } from "../ports/queue/store.ts";
import { createScheduler, type Scheduler } from "../ports/schedule/scheduler.ts";
import { schedules } from "../schedules.ts";
import { alertWatch, jobHandlers } from "../work.ts";
import { nodeHmac } from "./hmac.ts";
import { openAlerts } from "./open-alerts.ts";
import { openAnchors } from "./open-anchors.ts";
import { openWorkerDb, type WorkerDb } from "./worker-db.ts";
import type { WorkerEnv } from "./worker-env.gen.ts";
import { createWorkerJobs, type WorkerJobs } from "./worker-jobs.ts";

/** Static files, which the platform keeps beside the Worker. */
interface Assets {
  fetch(url: string): Promise<Response>;
}
type Bindings = WorkerEnv & { readonly ASSETS?: Assets };

interface Invocation {
  waitUntil(promise: Promise<unknown>): void;
}

interface Built extends Pick<WorkerDb, "scoped" | "background"> {
  app: App;
  jobs: WorkerJobs;
  watchAlerts: () => Promise<void>;
  scheduler: Scheduler;
  log: Log;
}

/** How long the cron trigger waits for jobs before it looks for alerts. */
const ALERTS_AFTER_MS = 5_000;

/** An isolate has one environment for as long as it lives. Null: the app could not be built of it, which was logged. */
let built: Built | null | undefined;

export default {
  async fetch(request: Request, bindings: Bindings, invocation: Invocation): Promise<Response> {
    // Requests that come while the first one builds do the same work again: a promise may not be shared between requests.
    if (built === undefined) built = await build(bindings);
    if (!built) return misconfigured();
    const { app, jobs, scoped, background } = built;
    const peer = () => request.headers.get("cf-connecting-ip");
    return scoped(
      () => jobs.watched(() => app.fetch(request, { peer, background })),
      (promise) => invocation.waitUntil(promise),
    );
  },

  /** The cron trigger, each minute. */
  async scheduled(_: unknown, bindings: Bindings, invocation: Invocation): Promise<void> {
    if (built === undefined) built = await build(bindings);
    if (!built) return;
    const { scheduler, jobs, watchAlerts, scoped, log } = built;
    await scoped(
      async () => {
        await scheduler.tick().catch((err) => log.warn({ err }, "the schedules could not be looked after"));
        const drained = jobs.drain();
        // After most jobs, which would seem to wait for too long, and not after those that take minutes.
        await Promise.race([drained, pause(ALERTS_AFTER_MS)]);
        await watchAlerts().catch((err) => log.warn({ err }, "alerts could not be looked for"));
        await drained;
      },
      (promise) => invocation.waitUntil(promise),
    );
  },

  /** The consumer of the queue JOBS. */
  async queue(batch: QueueBatch, bindings: Bindings, invocation: Invocation): Promise<void> {
    if (built === undefined) built = await build(bindings);
    // The queue brings them again.
    if (!built) throw new Error("the service is not configured");
    const { jobs, scoped } = built;
    await scoped(
      () => jobs.deliver(batch),
      (promise) => invocation.waitUntil(promise),
    );
  },
};

async function build(bindings: Bindings): Promise<Built | null> {
  try {
    const env = parseEnv(bindings, "worker");
    const log = createConsoleLog({ level: env.log.level });
    for (const warning of env.warnings) log.warn({}, warning);
    const { db, leases, scoped, isSpent, background } = openWorkerDb(env, bindings);
    const bus = createMemoryBus({ log });
    const scheduler = createScheduler({ db, clock, log, schedules });
    const auditKeys = env.audit.keys && (await importKeys(env.audit.keys.reveal()));
    if (!auditKeys) log.warn({}, "AUDIT_KEYS is not set: the audit trail is not sealed");
    const deps: Deps = {
      env,
      clock,
      log,
      db,
      bus,
      alerts: await openAlerts(env, { clock, log }),
      cache: createCache({ ...cacheOf(env, bindings), background, bus, clock, log }),
      limits: whenDown(createDatabaseLimits({ db }), { log, clock }),
      passwords: createWasmPasswords(argon2),
      hmac: nodeHmac,
      scheduler,
      keys: await loadKeys(env.jwt.keys),
      auditKeys,
      anchors: await openAnchors(env, { bucket: bindings.SEALS }),
      checks: [
        ...databaseChecks(db, schemaVersion, expectedVersion(db.dialect)),
        scheduleCheck(scheduler, false),
        jobCheck(db, clock, env.alerts.waitingMs),
      ],
      lifecycle: { phase: "ready" },
      // Another isolate may have answered the request that ended a session a moment ago.
      stateTtlMs: 0,
      referenceScript: () => referenceScript(bindings.ASSETS),
      version,
    };
    const store = createJobStore(db, leases);
    const handlers = jobHandlers(deps, store);
    const jobs = createWorkerJobs({
      db,
      store,
      handlers,
      dispatch: dispatchOf(env, bindings),
      events: createJobEvents({ log }),
      clock,
      log,
      limits: deps.limits,
      concurrency: env.jobs.concurrency,
      isSpent,
      background,
    });
    // One for each invocation, as it waits for what it began.
    const watchAlerts = () => alertWatch(deps, handlers).look();
    return { app: createApp(deps), jobs, watchAlerts, scoped, background, scheduler, log };
  } catch (error) {
    // The faults of an environment are told without its values; anything else is a fault of the code.
    console.error(error instanceof EnvError ? error.message : error);
    return null;
  }
}

/** A promise belongs to the request that made it, so none is shared. KV takes longer than a server that is near. */
function cacheOf(
  { cache }: Env,
  { CACHE }: Bindings,
): Pick<CacheOptions, "memory" | "store" | "sharesWork" | "storeTimeoutMs"> {
  if (cache.store === "kv" && CACHE)
    return { memory: null, store: createKvStore({ kv: CACHE }), sharesWork: false, storeTimeoutMs: 1_000 };
  const memory = { maxEntries: cache.maxEntries, maxBytes: cache.maxBytes };
  return { memory, store: null, sharesWork: false };
}

const dispatchOf = ({ jobs }: Env, { JOBS }: Bindings): Dispatch =>
  jobs.dispatch === "cloudflare" && JOBS
    ? { name: "cloudflare", carrier: createCloudflareCarrier(JOBS) }
    : databaseDispatch;

async function referenceScript(assets: Assets | undefined): Promise<ReadableStream | null> {
  const answer = await assets?.fetch("https://assets/scalar.js");
  return answer?.ok ? answer.body : null;
}

/** Whoever reads this is not who has to be told what is wrong: that stands in the log. */
const misconfigured = () =>
  Response.json(
    { type: "about:blank", title: "The service is not configured", status: 503, code: "unavailable" },
    { status: 503, headers: { "content-type": "application/problem+json", "retry-after": "60" } },
  );
