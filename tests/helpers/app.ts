/** The app in this process, on a database that the test has opened: for what cannot be seen from outside. */
import { seed } from "../../db/seed.ts";
import { createApp } from "../../src/app.ts";
import type { Clock } from "../../src/core/clock.ts";
import { Secret } from "../../src/core/secret.ts";
import { parseEnv } from "../../src/env.ts";
import { generateKeys, loadKeys } from "../../src/modules/auth/keys.ts";
import { createLogAlerts } from "../../src/ports/alert/log.ts";
import { createMemoryBus } from "../../src/ports/bus/memory.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { createMemoryLimits } from "../../src/ports/limits/memory.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import type { Passwords } from "../../src/ports/passwords/port.ts";
import { createScheduler } from "../../src/ports/schedule/scheduler.ts";
import { nodeHmac } from "../../src/runtimes/hmac.ts";
import { openCache } from "../../src/runtimes/open-cache.ts";

/** A hash that costs nothing, because what is looked at here is not the hash. */
const plain: Passwords = {
  hash: async (password) => `plain ${password}`,
  verify: async (password, hash) => ({ ok: hash === `plain ${password}`, stale: false }),
};
const PASSWORD = "a quiet phrase 7319";
const keys = await generateKeys();

export interface AppOptions {
  db: Db;
  clock: Clock;
  mode: "development" | "test" | "production";
  stateTtlMs: number;
}

export async function openApp({ db, clock, mode, stateTtlMs }: AppOptions) {
  const env = parseEnv({
    NODE_ENV: mode,
    DATABASE_URL: "sqlite::memory:",
    PUBLIC_URL: "https://api.example.com",
    JWT_KEYS: JSON.stringify({ keys }),
    LIMIT_API: "100000000/60s",
    ADMIN_EMAIL: "root@example.com",
    ADMIN_PASSWORD: PASSWORD,
  });
  const printed: string[] = [];
  const log = createConsoleLog({ level: "error", print: (line) => void printed.push(line) });
  const bus = createMemoryBus({ log });
  const app = createApp({
    env,
    db,
    clock,
    log,
    bus,
    alerts: createLogAlerts({ log }),
    cache: await openCache(env, { bus, clock, log }),
    limits: createMemoryLimits({ clock }),
    passwords: plain,
    hmac: nodeHmac,
    scheduler: createScheduler({ db, clock, log, schedules: [] }),
    keys: await loadKeys(env.jwt.keys),
    auditKeys: null,
    anchors: [],
    checks: [],
    lifecycle: { phase: "ready" },
    stateTtlMs,
    referenceScript: async () => null,
    version: "0.0.0",
  });
  const admin = { email: "root@example.com", password: new Secret(PASSWORD) };
  await seed(db, { passwords: plain, clock, mode, admin, samples: false });

  async function ask(token: string | null, method: string, path: string, body?: unknown) {
    const answer = await app.request(path, {
      method,
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const json = text === "" ? undefined : JSON.parse(text);
    return { status: answer.status, json, data: json?.data };
  }
  const logIn = async (email: string): Promise<string> =>
    (await ask(null, "POST", "/v1/auth/login", { email, password: PASSWORD })).data.accessToken;

  /** Somebody new: their id and token. */
  async function person(email: string) {
    const { data } = await ask(null, "POST", "/v1/auth/register", { email, name: "Ann", password: PASSWORD });
    return { id: data.id as string, token: await logIn(email) };
  }
  return { app, ask, person, admin: await logIn("root@example.com"), printed };
}
