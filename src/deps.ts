import type { Asset } from "./core/asset.ts";
import type { Clock } from "./core/clock.ts";
import type { Hmac } from "./core/hmac.ts";
import type { Env } from "./env.ts";
import type { KeySet } from "./modules/auth/keys.ts";
import type { Check, Lifecycle } from "./modules/health/service.ts";
import type { Alerts } from "./ports/alert/port.ts";
import type { Anchor } from "./ports/anchor/port.ts";
import type { Bus } from "./ports/bus/port.ts";
import type { Cache } from "./ports/cache/port.ts";
import type { Db } from "./ports/db/port.ts";
import type { Limits } from "./ports/limits/port.ts";
import type { Log } from "./ports/log/port.ts";
import type { Passwords } from "./ports/passwords/port.ts";
import type { Scheduler } from "./ports/schedule/scheduler.ts";

/** What an app is built from, one line a port. A runtime makes them; nothing else does. */
export interface Deps {
  env: Env;
  clock: Clock;
  log: Log;
  db: Db;
  bus: Bus;
  alerts: Alerts;
  cache: Cache;
  limits: Limits;
  passwords: Passwords;
  scheduler: Scheduler;
  keys: KeySet;
  hmac: Hmac;
  /** What the audit trail is sealed with; null: it is not. */
  auditKeys: KeySet | null;
  /** Where its seals are kept besides the database. */
  anchors: readonly Anchor[];
  /** What readiness asks. */
  checks: readonly Check[];
  lifecycle: Lifecycle;
  /** How long what an actor may do is remembered without asking the database, in milliseconds. */
  stateTtlMs: number;
  /** The script of the API reference page, which is served from here and not from elsewhere. */
  referenceScript: () => Promise<Asset | null>;
  version: string;
}
