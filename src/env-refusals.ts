/** What single settings cannot say: what they owe to each other, and what production does not accept. */
import type { Secret } from "./core/secret.ts";
import type { Mode, SettingName, Values } from "./env-settings.ts";

export type Platform = "process" | "worker";

/** What a setting was found to be wrong about, in words that hold nothing of its value. */
export interface EnvFault {
  readonly name: SettingName;
  readonly expected: string;
}

export interface Surroundings {
  readonly mode: Mode;
  readonly platform: Platform;
  readonly hasD1: boolean;
  readonly hasKv: boolean;
  readonly hasR2: boolean;
  readonly hasQueue: boolean;
  /** Whether a setting has a text, rightly or wrongly: its own or its default. */
  readonly given: (name: SettingName) => boolean;
}

/** `values` lacks what was faulty by itself, so that one mistake is reported once. */
export function refusals(
  values: Partial<Values>,
  { mode, platform, hasD1, hasKv, hasR2, hasQueue, given }: Surroundings,
): EnvFault[] {
  const faults: EnvFault[] = [];
  const unless = (holds: boolean, name: SettingName, expected: string) => {
    if (!holds) faults.push({ name, expected });
  };
  const database = values.DATABASE_URL;
  const worker = platform === "worker";

  unless(database?.engine !== "d1" || hasD1, "DATABASE_URL", "the binding DB, for d1:");
  unless(
    !worker || !database || database.engine === "d1" || database.engine === "postgres",
    "DATABASE_URL",
    "d1: or PostgreSQL, on Workers",
  );
  unless(
    worker || !given("DATABASE_REPLICA_URLS") || !database || database.engine === "postgres",
    "DATABASE_REPLICA_URLS",
    "to be absent unless DATABASE_URL is PostgreSQL",
  );
  unless(
    values.LIMIT_STORE !== "redis" || given("REDIS_URL") || worker,
    "LIMIT_STORE",
    "REDIS_URL to be set, for redis",
  );
  unless(
    !worker || (values.LIMIT_STORE !== "memory" && values.LIMIT_STORE !== "redis"),
    "LIMIT_STORE",
    "auto | database, on Workers",
  );
  unless(values.BUS !== "redis" || given("REDIS_URL") || worker, "BUS", "REDIS_URL to be set, for redis");
  unless(
    values.BUS !== "postgres" || !database || database.engine === "postgres" || worker,
    "BUS",
    "DATABASE_URL to be PostgreSQL, for postgres",
  );
  unless(!worker || (values.BUS !== "postgres" && values.BUS !== "redis"), "BUS", "auto | memory, on Workers");
  const cachesInRedis = values.CACHE_STORE === "redis" || values.CACHE_STORE === "two-level";
  unless(!cachesInRedis || given("REDIS_URL") || worker, "CACHE_STORE", "REDIS_URL to be set, for redis and two-level");
  unless(!worker || !cachesInRedis, "CACHE_STORE", "auto | memory | kv, on Workers");
  unless(values.CACHE_STORE !== "kv" || hasKv, "CACHE_STORE", "the KV binding CACHE of a Worker, for kv");
  unless(!worker || values.ROLE === undefined || values.ROLE === "all", "ROLE", "all, on Workers");
  unless(
    values.ROLE === undefined || values.ROLE === "all" || !database || database.engine !== "pglite",
    "ROLE",
    "all, with PGlite, whose directory belongs to one process",
  );
  unless(values.QUEUE !== "bullmq" || given("REDIS_URL") || worker, "QUEUE", "REDIS_URL to be set, for bullmq");
  unless(!worker || values.QUEUE !== "bullmq", "QUEUE", "auto | database | cloudflare, on Workers");
  unless(values.QUEUE !== "cloudflare" || hasQueue, "QUEUE", "the queue binding JOBS of a Worker, for cloudflare");
  // Isolates come and go: each would make keys of its own, and refuse the tokens of the others.
  unless(!worker || mode === "production" || given("JWT_KEYS"), "JWT_KEYS", "a value, on Workers in every mode");
  unless(
    !worker || given("PUBLIC_URL"),
    "PUBLIC_URL",
    "a value, on Workers: they have no HOST and PORT to derive it from",
  );
  unless(!worker || !given("DATABASE_REPLICA_URLS"), "DATABASE_REPLICA_URLS", "to be absent, on Workers");
  unless(atMost(values.SESSION_IDLE_S, values.SESSION_TTL_S), "SESSION_IDLE_S", "at most SESSION_TTL_S");
  unless(atMost(values.SHUTDOWN_LEAD_MS, values.SHUTDOWN_GRACE_MS), "SHUTDOWN_LEAD_MS", "at most SHUTDOWN_GRACE_MS");
  unless(!given("ADMIN_PASSWORD") || given("ADMIN_EMAIL"), "ADMIN_EMAIL", "to be set beside ADMIN_PASSWORD");
  unless(
    !given("ALERT_WEBHOOK_SECRET") || given("ALERT_WEBHOOK_URL"),
    "ALERT_WEBHOOK_URL",
    "to be set beside ALERT_WEBHOOK_SECRET",
  );
  unless(
    !given("ALERT_WEBHOOK_URL") || given("ALERT_WEBHOOK_SECRET"),
    "ALERT_WEBHOOK_SECRET",
    "to be set beside ALERT_WEBHOOK_URL",
  );
  const anchors = new Set(values.AUDIT_ANCHORS?.map(({ kind }) => kind));
  unless(!worker || !anchors.has("file"), "AUDIT_ANCHORS", "no file:, on Workers");
  unless(!anchors.has("r2") || hasR2, "AUDIT_ANCHORS", "the R2 binding SEALS of a Worker, for r2:");
  unless(
    !anchors.has("s3") || (given("AUDIT_S3_ACCESS_KEY_ID") && given("AUDIT_S3_SECRET_ACCESS_KEY")),
    "AUDIT_ANCHORS",
    "AUDIT_S3_ACCESS_KEY_ID and AUDIT_S3_SECRET_ACCESS_KEY to be set, for s3:",
  );
  if (mode !== "production") return faults;

  const { ADMIN_PASSWORD, AUDIT_KEYS, JWT_KEYS, PROBE_TOKEN, REDIS_URL } = values;
  unless(
    !ADMIN_PASSWORD || (ADMIN_PASSWORD.reveal().length >= 12 && !isPlaceholder(ADMIN_PASSWORD.reveal())),
    "ADMIN_PASSWORD",
    "12 characters or more that are not a placeholder, in production",
  );
  unless(
    !PROBE_TOKEN || !isPlaceholder(PROBE_TOKEN.reveal()),
    "PROBE_TOKEN",
    "random characters, not a placeholder, in production",
  );
  unless(
    !JWT_KEYS?.reveal().some((key) => publishedKeys.has(key.d) || publishedKeys.has(key.x) || isRepetitive(key.d)),
    "JWT_KEYS",
    "keys of its own, not those of an example, in production",
  );
  unless(
    !AUDIT_KEYS?.reveal().some(
      (key) =>
        publishedKeys.has(key.d) ||
        publishedKeys.has(key.x) ||
        isRepetitive(key.d) ||
        JWT_KEYS?.reveal().some(({ d }) => d === key.d),
    ),
    "AUDIT_KEYS",
    "keys of its own, neither those of an example nor those of JWT_KEYS, in production",
  );
  const withoutPlaceholder = "a password that is not a placeholder, in production";
  unless(database?.engine !== "postgres" || !hasPlaceholder(database.url), "DATABASE_URL", withoutPlaceholder);
  unless(!values.DATABASE_REPLICA_URLS?.some(hasPlaceholder), "DATABASE_REPLICA_URLS", withoutPlaceholder);
  unless(!REDIS_URL || !hasPlaceholder(REDIS_URL), "REDIS_URL", withoutPlaceholder);
  return faults;
}

const atMost = (a: number | undefined, b: number | undefined) => a === undefined || b === undefined || a <= b;

/** The Ed25519 keys that RFC 8037 (appendix A) and RFC 8032 (section 7.1) print, which are what examples are copied from. */
const publishedKeys = new Set([
  "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
  "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
  "TM0Imyj_ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U-4pvs",
  "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw",
  "xaqN9D-fg3vtt0QvMdy3sWbThTUHbwlLhc46LgtEWPc",
  "_FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU",
]);

/** Longer words first: what is taken out must not leave a piece of a longer one. */
const placeholders =
  /change[-_ ]?(?:me|this|it)|placeholder|replace[-_ ]?(?:me|this)?|administrator|password|passw0rd|p[a@]ssw[o0]rd|example|default|letmein|welcome|qwerty|secret|hearth|admin|token|todo|user|test|your|root|pass|1234/gi;

/** A text made of stock words: there is one in it, and without them fewer than 6 letters are left. Or a text of few characters, repeated. */
function isPlaceholder(text: string): boolean {
  const rest = text.replace(placeholders, "");
  return isRepetitive(text) || (rest !== text && rest.replace(/[^\p{L}]/gu, "").length < 6);
}

const isRepetitive = (text: string) => new Set(text).size < 5;

/** Only a text that says of itself that it is to be replaced: what is short or simple inside a private network is the operator's to judge. */
const stockPassword =
  /^(?:change[-_ ]?(?:me|this|it)|placeholder|replace[-_ ]?(?:me|this)|(?:your[-_ ]?)?(?:password|secret))$/i;
const hasPlaceholder = (url: Secret) => stockPassword.test(URL.parse(url.reveal())?.password ?? "");
