/**
 * Every setting: its format, its default and what it is for. `.env.example` and the Worker's types are generated from this list, and
 * the start-up check reads it (env-described.ts, env.ts).
 */
import { z } from "zod";
import * as f from "./env-formats.ts";

export const modes = ["development", "test", "production"] as const;
export type Mode = (typeof modes)[number];

interface About {
  group: string;
  about: string;
  /** As it would be written in the environment; in one mode, or in all. Read like any other text, so it cannot be out of bounds. */
  fallback?: string | Partial<Record<Mode, string>>;
  required?: "in production";
}

export const notes = z.registry<About>();
const days = (n: number) => String(n * 86_400);

export const schema = z.object({
  NODE_ENV: f.oneOf(...modes).register(notes, {
    group: "Server",
    about:
      "The mode. Production refuses weak secrets and prints JSON. It has to be set in the process environment itself. On Workers the default is production.",
    fallback: "development",
  }),
  HOST: f.host().register(notes, {
    group: "Server",
    about: "The address to listen on.",
    fallback: { development: "127.0.0.1", test: "127.0.0.1", production: "0.0.0.0" },
  }),
  PORT: f.integer(0, 65_535).register(notes, {
    group: "Server",
    about: "The port to listen on; 0 takes any free one.",
    fallback: "3000",
  }),
  PUBLIC_URL: f.publicUrl().optional().register(notes, {
    group: "Server",
    about:
      "The URL that clients reach the service at: it stands in the documents, and is the issuer of tokens. Default: http://HOST:PORT; on Workers there is none.",
  }),
  CORS_ORIGINS: f.origins().optional().register(notes, {
    group: "Server",
    about: "The origins whose pages may call the API from a browser. Default: none.",
  }),
  TRUSTED_PROXIES: f.networks().optional().register(notes, {
    group: "Server",
    about: "The proxies whose X-Forwarded-For is believed. Default: none.",
  }),
  BODY_LIMIT_BYTES: f.integer(1024, 104_857_600).register(notes, {
    group: "Server",
    about: "The largest request body.",
    fallback: "1048576",
  }),
  REQUEST_TIMEOUT_MS: f.integer(100, 8000).register(notes, {
    group: "Server",
    about: "How long a request may take before it is answered with 503.",
    fallback: "7000",
  }),
  SHUTDOWN_LEAD_MS: f.integer(0, 60_000).register(notes, {
    group: "Server",
    about: "How long readiness is 503 before the port closes, so that load balancers see it.",
    fallback: { development: "200", test: "200", production: "1000" },
  }),
  SHUTDOWN_GRACE_MS: f.integer(1000, 300_000).register(notes, {
    group: "Server",
    about: "The time from the signal to the exit at the latest. Longer than SHUTDOWN_LEAD_MS.",
    fallback: "25000",
  }),
  PROBE_TOKEN: f.token().optional().register(notes, {
    group: "Server",
    about:
      "Whoever sends this token sees the details of /readyz, jobs without what they were given and answered, queues and schedules, and changes nothing.",
  }),

  DATABASE_URL: f.databaseUrl().register(notes, {
    group: "Database",
    about: "The database. On Workers the default is the binding DB (d1:), else the binding HYPERDRIVE.",
    fallback: { development: "pglite:.data/pglite", test: "pglite:.data/pglite" },
    required: "in production",
  }),
  DATABASE_REPLICA_URLS: f.postgresUrls().optional().register(notes, {
    group: "Database",
    about: "Read replicas, when DATABASE_URL is PostgreSQL. Default: none.",
  }),
  DATABASE_POOL_SIZE: f.integer(1, 1000).register(notes, {
    group: "Database",
    about:
      "The most connections to each PostgreSQL server, beside one to hear others by and one for the leases of jobs.",
    fallback: "10",
  }),
  DATABASE_STATEMENT_TIMEOUT_MS: f.integer(100, 600_000).register(notes, {
    group: "Database",
    about: "How long PostgreSQL may work on one statement.",
    fallback: "5000",
  }),
  DATABASE_IDLE_TIMEOUT_S: f.integer(1, 86_400).register(notes, {
    group: "Database",
    about: "After how long an unused connection is closed.",
    fallback: "60",
  }),
  DATABASE_MIGRATE: f.boolean().register(notes, {
    group: "Database",
    about: "Whether migrations are applied at start.",
    fallback: "true",
  }),
  SEED: f.boolean().register(notes, {
    group: "Database",
    about:
      "Whether sample data is written at start. The administrator below is seeded in every mode, when both are set.",
    fallback: { development: "true", test: "false", production: "false" },
  }),
  ADMIN_EMAIL: f
    .email()
    .optional()
    .register(notes, {
      group: "Database",
      about: "The first administrator.",
      fallback: { development: "admin@example.com", test: "admin@example.com" },
    }),
  ADMIN_PASSWORD: f.secret(8, 256).optional().register(notes, {
    group: "Database",
    about:
      "The first administrator's password, 12 characters or more in production. Development makes one when it is absent.",
  }),
  REDIS_URL: f.redisUrl().optional().register(notes, {
    group: "Database",
    about:
      "Redis, for limits and cached values that several servers share, for what they tell each other, and for jobs if QUEUE says so. Each deployment on one Redis needs a database number of its own.",
  }),
  BUS: f.oneOf("auto", "memory", "postgres", "redis").register(notes, {
    group: "Database",
    about:
      "How servers tell each other what has changed. auto: Redis when REDIS_URL is set, else PostgreSQL when it is the database, else not at all (memory), as on Workers.",
    fallback: "auto",
  }),

  CACHE_STORE: f.oneOf("auto", "memory", "redis", "two-level", "kv").register(notes, {
    group: "Cache",
    about:
      "Where cached values are kept. auto: in memory, before Redis (two-level) when REDIS_URL is set; on Workers the KV binding CACHE, else the isolate's memory.",
    fallback: "auto",
  }),
  CACHE_MEMORY_ENTRIES: f.integer(1, 10_000_000).register(notes, {
    group: "Cache",
    about: "The most values that a process keeps in memory. Those used longest ago are given up.",
    fallback: "10000",
  }),
  CACHE_MEMORY_BYTES: f.integer(65_536, 17_179_869_184).register(notes, {
    group: "Cache",
    about: "About how much memory they may take.",
    fallback: "33554432",
  }),

  ROLE: f.oneOf("all", "api", "worker").register(notes, {
    group: "Jobs",
    about:
      "What this process does: answer the API, run jobs, or both. A worker answers the probes alone. On Workers: all.",
    fallback: "all",
  }),
  QUEUE: f.oneOf("auto", "database", "bullmq", "cloudflare").register(notes, {
    group: "Jobs",
    about:
      "How due jobs reach a worker. auto: workers take them from the database; on Workers by the queue binding JOBS, where there is one. bullmq: by Redis, from the database.",
    fallback: "auto",
  }),
  JOB_CONCURRENCY: f.integer(1, 1000).register(notes, {
    group: "Jobs",
    about: "How many jobs a process runs at once.",
    fallback: "20",
  }),

  ALERT_WEBHOOK_URL: f.webhookUrl().optional().register(notes, {
    group: "Alerts",
    about:
      "Where alerts are sent, signed as Standard Webhooks: a job died, too many fail, they wait too long, nobody knows them, a schedule missed its time. Default: they are lines of the log.",
  }),
  ALERT_WEBHOOK_SECRET: f.webhookSecret().optional().register(notes, {
    group: "Alerts",
    about: "The secret that they are signed with. It is set beside ALERT_WEBHOOK_URL.",
  }),
  ALERT_WINDOW_S: f.integer(60, 86_400).register(notes, {
    group: "Alerts",
    about: "How far back is looked for jobs that died or failed. When there are none left in it, the alert clears.",
    fallback: "300",
  }),
  ALERT_FAILURES: f.integer(1, 1_000_000).register(notes, {
    group: "Alerts",
    about: "How many failed attempts of one job type in that time are an alert.",
    fallback: "50",
  }),
  ALERT_WAITING_S: f.integer(10, 604_800).register(notes, {
    group: "Alerts",
    about: "How long the oldest due job of a type may wait before it is an alert, and /readyz says so.",
    fallback: "300",
  }),

  JWT_KEYS: f.signingKeys().optional().register(notes, {
    group: "Tokens and sessions",
    about:
      "The keys of access tokens: the first signs, all verify. Outside production they are made at start when absent, except on Workers.",
    required: "in production",
  }),
  JWT_AUDIENCE: f.word().register(notes, {
    group: "Tokens and sessions",
    about: "The audience that tokens are made for and must name.",
    fallback: "hearth",
  }),
  ACCESS_TOKEN_TTL_S: f.integer(1, 86_400).register(notes, {
    group: "Tokens and sessions",
    about: "How long an access token is valid.",
    fallback: "600",
  }),
  SESSION_TTL_S: f.integer(1, 31_536_000).register(notes, {
    group: "Tokens and sessions",
    about: "After how long a session ends, however much it is used.",
    fallback: days(30),
  }),
  SESSION_IDLE_S: f.integer(1, 31_536_000).register(notes, {
    group: "Tokens and sessions",
    about: "After how long without a refresh a session ends. At most SESSION_TTL_S.",
    fallback: days(7),
  }),

  AUDIT_KEYS: f.signingKeys().optional().register(notes, {
    group: "Audit",
    about:
      "The keys that seal the audit trail: the first signs, all verify. Other keys than JWT_KEYS. Without them nothing is sealed in production and on Workers, which is warned of at start; development makes one and keeps it in .data.",
  }),
  AUDIT_ANCHORS: f.anchors().optional().register(notes, {
    group: "Audit",
    about:
      "Where each newest seal is kept besides the database: a file, a webhook, a bucket of S3's protocol, or (r2:) the R2 binding SEALS of a Worker, which has no files. Default: nowhere.",
  }),
  AUDIT_S3_REGION: f.word().register(notes, {
    group: "Audit",
    about: "The region of the bucket of an s3: anchor; auto for R2.",
    fallback: "us-east-1",
  }),
  AUDIT_S3_ACCESS_KEY_ID: f.secret(1, 256).optional().register(notes, {
    group: "Audit",
    about: "The key that objects are put there with. It needs no other right than to put.",
  }),
  AUDIT_S3_SECRET_ACCESS_KEY: f.secret(1, 256).optional().register(notes, {
    group: "Audit",
    about: "Its secret.",
  }),

  LIMIT_API: f.limit().register(notes, {
    group: "Limits",
    about: "Requests, per account or address.",
    fallback: "1000/60s",
  }),
  LIMIT_AUTH: f.limit().register(notes, {
    group: "Limits",
    about: "Requests to the authentication endpoints, per address.",
    fallback: "300/60s",
  }),
  LIMIT_LOGIN: f.limit().register(notes, {
    group: "Limits",
    about: "Failed logins, per account.",
    fallback: "10/300s",
  }),
  LIMIT_STORE: f.oneOf("auto", "memory", "database", "redis").register(notes, {
    group: "Limits",
    about: "Where limits are counted. auto: Redis when REDIS_URL is set, else in memory; on Workers in the database.",
    fallback: "auto",
  }),

  LOG_LEVEL: f.oneOf("debug", "info", "warn", "error", "silent").register(notes, {
    group: "Log",
    about: "The least severe lines that are written.",
    fallback: "info",
  }),
  LOG_FORMAT: f.oneOf("pretty", "json").register(notes, {
    group: "Log",
    about: "How lines are written; on Workers always json.",
    fallback: { development: "pretty", test: "json", production: "json" },
  }),
});

export type Values = z.output<typeof schema>;
export type SettingName = keyof Values;
