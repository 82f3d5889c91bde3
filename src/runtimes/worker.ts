/** Cloudflare Workers: the app is built by an isolate's first request and serves all that follow. */
import argon2 from "@phi-ag/argon2/argon2.wasm";
import { version } from "../../package.json";
import { type App, createApp } from "../app.ts";
import { systemClock as clock } from "../core/clock.ts";
import { EnvError, parseEnv } from "../env.ts";
import { loadKeys } from "../modules/auth/keys.ts";
import { databaseChecks } from "../modules/health/service.ts";
import { expectedVersion, schemaVersion } from "../ports/db/migrate.ts";
import { createDatabaseLimits } from "../ports/limits/database.ts";
import { whenDown } from "../ports/limits/when-down.ts";
import { createConsoleLog } from "../ports/log/console.ts";
import { createWasmPasswords } from "../ports/passwords/wasm.ts";
import { openWorkerDb, type WorkerDb } from "./worker-db.ts";
import type { WorkerEnv } from "./worker-env.gen.ts";

/** Static files, which the platform keeps beside the Worker. */
interface Assets {
  fetch(url: string): Promise<Response>;
}
type Bindings = WorkerEnv & { readonly ASSETS?: Assets };

interface Invocation {
  waitUntil(promise: Promise<unknown>): void;
}

interface Built extends Pick<WorkerDb, "scoped"> {
  app: App;
}

/** An isolate has one environment for as long as it lives. Null: the app could not be built of it, which was logged. */
let built: Built | null | undefined;

export default {
  async fetch(request: Request, bindings: Bindings, invocation: Invocation): Promise<Response> {
    // Requests that come while the first one builds do the same work again: a promise may not be shared between requests.
    if (built === undefined) built = await build(bindings);
    if (!built) return misconfigured();
    const { app, scoped } = built;
    const peer = () => request.headers.get("cf-connecting-ip");
    return scoped(
      () => app.fetch(request, { peer }),
      (promise) => invocation.waitUntil(promise),
    );
  },
};

async function build(bindings: Bindings): Promise<Built | null> {
  try {
    const env = parseEnv(bindings, "worker");
    const log = createConsoleLog({ level: env.log.level });
    for (const warning of env.warnings) log.warn({}, warning);
    const { db, scoped } = openWorkerDb(env, bindings);
    const app = createApp({
      env,
      clock,
      log,
      db,
      limits: whenDown(createDatabaseLimits({ db }), { log, clock }),
      passwords: createWasmPasswords(argon2),
      keys: await loadKeys(env.jwt.keys),
      checks: databaseChecks(db, schemaVersion, expectedVersion(db.dialect)),
      lifecycle: { phase: "ready" },
      // Another isolate may have answered the request that ended a session a moment ago.
      stateTtlMs: 0,
      referenceScript: () => referenceScript(bindings.ASSETS),
      version,
    });
    return { app, scoped };
  } catch (error) {
    // The faults of an environment are told without its values; anything else is a fault of the code.
    console.error(error instanceof EnvError ? error.message : error);
    return null;
  }
}

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
