/** From the raw environment to settings that the rest is built from. Pure: it reads only what it is given, and only once, at start. */
import { settings } from "./env-described.ts";
import type { EnvFault, Platform } from "./env-refusals.ts";
import { refusals } from "./env-refusals.ts";
import { type Mode, modes, type SettingName, type Values } from "./env-settings.ts";

/** Every fault of an environment, one a line: the name and what is expected there. Values never stand in it. */
export class EnvError extends Error {
  override readonly name = "EnvError";
  readonly faults: readonly EnvFault[];

  constructor(faults: readonly EnvFault[]) {
    super(["The environment cannot be used:", ...faults.map((f) => `  ${f.name}: expected ${f.expected}`)].join("\n"));
    this.faults = faults;
  }
}

export type Env = ReturnType<typeof arrange>;

/**
 * Reads the process environment, or on Workers the `env` of a request with its variables, secrets and bindings. An empty text counts as
 * absent, because that is what compose files and CI make of a variable that is not set.
 *
 * Throws an EnvError that lists all faults together.
 */
export function parseEnv(record: Record<string, unknown>, platform: Platform = "process"): Env {
  const mode = modeOf(record, platform);
  const bindings = platform === "worker" ? bindingsOf(record) : null;
  const texts: Partial<Record<SettingName, unknown>> = {};
  const values: Record<string, unknown> = {};
  const faults: EnvFault[] = [];

  for (const setting of settings) {
    const { name, schema, fallback, required } = setting;
    const own = name === "DATABASE_URL" && platform === "worker" ? bindings : fallback[mode];
    const text = textOf(record[name]) ?? (name === "NODE_ENV" ? mode : own) ?? undefined;
    texts[name] = text;
    const parsed = schema.safeParse(text);
    if (text === undefined && name === "DATABASE_URL" && platform === "worker")
      faults.push({ name, expected: "the binding DB or HYPERDRIVE, or a value: d1: | postgres://…" });
    else if (text === undefined && (!parsed.success || (required && mode === "production")))
      faults.push({ name, expected: `a value${required ? ` ${required}` : ""}: ${setting.expects}` });
    else if (parsed.success) values[name] = parsed.data;
    else faults.push({ name, expected: setting.expects });
  }
  const given = (name: SettingName) => texts[name] !== undefined;
  const hasKv = isStore(record.CACHE);
  const hasR2 = isStore(record.SEALS);
  const hasQueue = isQueue(record.JOBS);
  faults.push(...refusals(values, { mode, platform, hasD1: bindings === "d1:", hasKv, hasR2, hasQueue, given }));
  if (faults.length > 0) throw new EnvError(faults);
  return arrange(values as Values, platform, { hasKv, hasQueue }, misspellings(Object.keys(record)));
}

/**
 * On Workers an absent mode is production: a deployment that forgot it must not start with development's defaults. An unknown mode is
 * reported as such, and what else is wrong is told as it would be in development.
 */
function modeOf(record: Record<string, unknown>, platform: Platform): Mode {
  const given = textOf(record.NODE_ENV);
  if (given === undefined) return platform === "worker" ? "production" : "development";
  return modes.find((mode) => mode === given) ?? "development";
}

/** Workers' variables may be numbers and booleans of a TOML file. Anything else is left as it is, and then is no text. */
const textOf = (value: unknown): unknown =>
  value === "" || value === null
    ? undefined
    : typeof value === "number" || typeof value === "boolean"
      ? String(value)
      : value;

/** The database that a Worker's bindings amount to, as DATABASE_URL would say it. */
function bindingsOf({ DB, HYPERDRIVE }: Record<string, unknown>): string | null {
  if (typeof DB === "object" && DB !== null && "batch" in DB) return "d1:";
  if (typeof HYPERDRIVE !== "object" || HYPERDRIVE === null || !("connectionString" in HYPERDRIVE)) return null;
  return typeof HYPERDRIVE.connectionString === "string" ? HYPERDRIVE.connectionString : null;
}

const isStore = (binding: unknown): boolean => typeof binding === "object" && binding !== null && "put" in binding;
const isQueue = (binding: unknown): boolean =>
  typeof binding === "object" && binding !== null && "sendBatch" in binding;

interface Bound {
  hasKv: boolean;
  hasQueue: boolean;
}

function arrange(v: Values, platform: Platform, { hasKv, hasQueue }: Bound, warnings: readonly string[]) {
  const counted = v.REDIS_URL ? "redis" : "memory";
  return Object.freeze({
    mode: v.NODE_ENV,
    host: v.HOST,
    port: v.PORT,
    publicUrl: v.PUBLIC_URL ?? `http://${reachable(v.HOST)}:${v.PORT}`,
    corsOrigins: v.CORS_ORIGINS ?? none,
    /** Addresses and CIDR ranges, valid, as they were written. */
    trustedProxies: v.TRUSTED_PROXIES ?? none,
    bodyLimitBytes: v.BODY_LIMIT_BYTES,
    requestTimeoutMs: v.REQUEST_TIMEOUT_MS,
    probeToken: v.PROBE_TOKEN ?? null,
    redisUrl: v.REDIS_URL ?? null,
    bus: v.BUS === "auto" ? busOf(v, platform) : v.BUS,
    shutdown: Object.freeze({ leadMs: v.SHUTDOWN_LEAD_MS, graceMs: v.SHUTDOWN_GRACE_MS }),
    database: Object.freeze({
      url: Object.freeze(v.DATABASE_URL),
      replicas: v.DATABASE_REPLICA_URLS ?? none,
      poolSize: v.DATABASE_POOL_SIZE,
      statementTimeoutMs: v.DATABASE_STATEMENT_TIMEOUT_MS,
      idleTimeoutS: v.DATABASE_IDLE_TIMEOUT_S,
      migrate: v.DATABASE_MIGRATE,
    }),
    /** Whether sample data is seeded. An administrator is seeded whenever both its settings are there. */
    seed: v.SEED,
    admin: Object.freeze({ email: v.ADMIN_EMAIL ?? null, password: v.ADMIN_PASSWORD ?? null }),
    jwt: Object.freeze({
      /** The first signs, all verify; null: to be made at start, never so in production. */
      keys: v.JWT_KEYS ?? null,
      audience: v.JWT_AUDIENCE,
      accessTokenTtlS: v.ACCESS_TOKEN_TTL_S,
    }),
    session: Object.freeze({ ttlS: v.SESSION_TTL_S, idleS: v.SESSION_IDLE_S }),
    /** null: off. */
    limits: Object.freeze({ api: v.LIMIT_API, auth: v.LIMIT_AUTH, login: v.LIMIT_LOGIN }),
    limitStore: v.LIMIT_STORE === "auto" ? (platform === "worker" ? "database" : counted) : v.LIMIT_STORE,
    cache: Object.freeze({
      store: v.CACHE_STORE === "auto" ? cacheOf(v, platform, hasKv) : v.CACHE_STORE,
      maxEntries: v.CACHE_MEMORY_ENTRIES,
      maxBytes: v.CACHE_MEMORY_BYTES,
    }),
    role: v.ROLE,
    jobs: Object.freeze({
      concurrency: v.JOB_CONCURRENCY,
      dispatch: v.QUEUE === "auto" ? (hasQueue ? "cloudflare" : "database") : v.QUEUE,
    }),
    /** Without an address: into the log. */
    alerts: Object.freeze({
      webhook:
        v.ALERT_WEBHOOK_URL && v.ALERT_WEBHOOK_SECRET
          ? Object.freeze({ url: v.ALERT_WEBHOOK_URL, secret: v.ALERT_WEBHOOK_SECRET })
          : null,
      windowMs: v.ALERT_WINDOW_S * 1000,
      failures: v.ALERT_FAILURES,
      waitingMs: v.ALERT_WAITING_S * 1000,
    }),
    /** Keys: the first signs, all verify; null: nothing is sealed, or by a key that is made at start (runtimes/open-audit.ts). */
    audit: Object.freeze({
      keys: v.AUDIT_KEYS ?? null,
      anchors: v.AUDIT_ANCHORS ?? none,
      /** Of anchors in S3; there where one is asked for. */
      s3:
        v.AUDIT_S3_ACCESS_KEY_ID && v.AUDIT_S3_SECRET_ACCESS_KEY
          ? Object.freeze({
              region: v.AUDIT_S3_REGION,
              accessKeyId: v.AUDIT_S3_ACCESS_KEY_ID,
              secretAccessKey: v.AUDIT_S3_SECRET_ACCESS_KEY,
            })
          : null,
    }),
    log: Object.freeze({ level: v.LOG_LEVEL, format: platform === "worker" ? "json" : v.LOG_FORMAT }),
    /** For the log at start: names that are probably misspelt. */
    warnings: Object.freeze(warnings),
  });
}

function cacheOf({ REDIS_URL }: Values, platform: Platform, hasKv: boolean): Exclude<Values["CACHE_STORE"], "auto"> {
  if (platform === "worker") return hasKv ? "kv" : "memory";
  return REDIS_URL ? "two-level" : "memory";
}

function busOf({ REDIS_URL, DATABASE_URL }: Values, platform: Platform): Exclude<Values["BUS"], "auto"> {
  if (platform === "worker") return "memory";
  return REDIS_URL ? "redis" : DATABASE_URL.engine === "postgres" ? "postgres" : "memory";
}

const none: readonly never[] = Object.freeze([]);

/** An address that a browser can open, where all addresses are listened on. */
const reachable = (host: string) =>
  host === "0.0.0.0" || host === "::" ? "localhost" : host.includes(":") ? `[${host}]` : host;

/** Settings with these prefixes are ours alone; a near miss there would otherwise be ignored in silence. */
const watched = /^(?:ALERT|AUDIT|DATABASE|LIMIT|JOBS?|JWT|CACHE)_/;

function misspellings(names: readonly string[]): string[] {
  const known = settings.map((setting) => setting.name);
  return names.flatMap((name) => {
    if (!watched.test(name) || name.length > 64 || known.some((k) => k === name)) return [];
    const near = known.find((k) => editDistance(name, k) <= 2);
    return near ? [`${name} is not a setting; did you mean ${near}?`] : [];
  });
}

/** Levenshtein's distance: letters added, left out or replaced. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++)
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (letter === b[j] ? 0 : 1)));
    row = next;
  }
  return row[b.length] ?? 0;
}
