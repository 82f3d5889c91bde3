/** From the raw environment to settings that the rest is built from. Pure: it reads only what it is given, and only once, at start. */
import type { EnvFault, Platform } from "./env-refusals.ts";
import { refusals } from "./env-refusals.ts";
import { type Mode, modes, type SettingName, settings, type Values } from "./env-settings.ts";

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

  for (const { name, schema, fallback, required, expects } of settings) {
    const own = name === "DATABASE_URL" && platform === "worker" ? bindings : fallback[mode];
    const text = textOf(record[name]) ?? (name === "NODE_ENV" ? mode : own) ?? undefined;
    texts[name] = text;
    const parsed = schema.safeParse(text);
    if (text === undefined && (!parsed.success || (required && mode === "production")))
      faults.push({ name, expected: `a value${required ? ` ${required}` : ""}: ${expects}` });
    else if (parsed.success) values[name] = parsed.data;
    else faults.push({ name, expected: expects });
  }
  const given = (name: SettingName) => texts[name] !== undefined;
  faults.push(...refusals(values, { mode, platform, hasD1: bindings === "d1:", given }));
  if (faults.length > 0) throw new EnvError(faults);
  return arrange(values as Values, platform, misspellings(Object.keys(record)));
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

function arrange(v: Values, platform: Platform, warnings: readonly string[]) {
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
    log: Object.freeze({ level: v.LOG_LEVEL, format: platform === "worker" ? "json" : v.LOG_FORMAT }),
    /** For the log at start: names that are probably misspelt. */
    warnings: Object.freeze(warnings),
  });
}

const none: readonly never[] = Object.freeze([]);

/** An address that a browser can open, where all addresses are listened on. */
const reachable = (host: string) =>
  host === "0.0.0.0" || host === "::" ? "localhost" : host.includes(":") ? `[${host}]` : host;

/** Settings with these prefixes are ours alone; a near miss there would otherwise be ignored in silence. */
const watched = /^(?:DATABASE|LIMIT|JWT)_/;

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
