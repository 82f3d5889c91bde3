import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import fc from "fast-check";
import { outputs } from "../../scripts/env-example.ts";
import { EnvError, parseEnv } from "../../src/env.ts";
import { settings } from "../../src/env-described.ts";
import type { Platform } from "../../src/env-refusals.ts";
import { modes } from "../../src/env-settings.ts";
import type { WorkerEnv } from "../../src/runtimes/worker-env.gen.ts";

const b64 = (byte: number) =>
  Buffer.from(Array.from({ length: 32 }, (_, i) => (byte + i * 37) % 256)).toString("base64url");
const key = (kid: string, more: object = {}) => ({ kty: "OKP", crv: "Ed25519", kid, x: b64(1), d: b64(2), ...more });
const keys = (...list: object[]) => JSON.stringify({ keys: list });

const production = {
  NODE_ENV: "production",
  DATABASE_URL: "postgres://hearth:Vq8mZr2k@db.internal/hearth",
  JWT_KEYS: keys(key("2026-01")),
};

function faultsOf(record: Record<string, unknown>, platform?: Platform): string[] {
  try {
    parseEnv(record, platform);
    return [];
  } catch (error) {
    if (!(error instanceof EnvError)) throw error;
    return error.faults.map((fault) => fault.name).sort();
  }
}

describe("defaults", () => {
  test("alerts go to a webhook when its address and its secret are set, each beside the other, else into the log", () => {
    const ALERT_WEBHOOK_URL = "https://hooks.example/a?b=c";
    const ALERT_WEBHOOK_SECRET = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
    const { webhook, ...rules } = parseEnv({ ALERT_WEBHOOK_URL, ALERT_WEBHOOK_SECRET, ALERT_WAITING_S: "60" }).alerts;
    expect([webhook?.url.reveal(), webhook?.secret.reveal()]).toEqual([ALERT_WEBHOOK_URL, ALERT_WEBHOOK_SECRET]);
    expect(rules).toEqual({ windowMs: 300_000, failures: 50, waitingMs: 60_000 });
    expect(parseEnv({}).alerts.webhook).toBeNull();
    expect(faultsOf({ ALERT_WEBHOOK_URL })).toEqual(["ALERT_WEBHOOK_SECRET"]);
    expect(faultsOf({ ALERT_WEBHOOK_SECRET })).toEqual(["ALERT_WEBHOOK_URL"]);
    for (const wrong of ["hooks.example", "ftp://h/x", "https://u:p@h.example/x"])
      expect(faultsOf({ ALERT_WEBHOOK_URL: wrong, ALERT_WEBHOOK_SECRET })).toEqual(["ALERT_WEBHOOK_URL"]);
    const short = `whsec_${Buffer.alloc(23, 7).toString("base64")}`;
    for (const wrong of [short, ALERT_WEBHOOK_SECRET.slice(6), "whsec_@@@@", "whsec_"])
      expect(faultsOf({ ALERT_WEBHOOK_URL, ALERT_WEBHOOK_SECRET: wrong })).toEqual(["ALERT_WEBHOOK_SECRET"]);
  });

  test("development needs nothing", () => {
    const env = parseEnv({});
    expect(env).toMatchObject({
      mode: "development",
      host: "127.0.0.1",
      port: 3000,
      publicUrl: "http://127.0.0.1:3000",
      database: {
        url: { engine: "pglite", dir: ".data/pglite" },
        replicas: [],
        poolSize: 10,
        statementTimeoutMs: 5000,
      },
      seed: true,
      admin: { email: "admin@example.com", password: null },
      jwt: { keys: null, audience: "hearth", accessTokenTtlS: 600 },
      session: { ttlS: 2_592_000, idleS: 604_800 },
      limits: {
        api: { limit: 1000, windowMs: 60_000 },
        auth: { limit: 300, windowMs: 60_000 },
        login: { limit: 10, windowMs: 300_000 },
      },
      limitStore: "memory",
      bus: "memory",
      cache: { store: "memory", maxEntries: 10_000, maxBytes: 33_554_432 },
      log: { level: "info", format: "pretty" },
      shutdown: { leadMs: 200, graceMs: 25_000 },
      bodyLimitBytes: 1_048_576,
      requestTimeoutMs: 7000,
      corsOrigins: [],
      trustedProxies: [],
      redisUrl: null,
      probeToken: null,
      warnings: [],
    });
  });

  test("test seeds no sample data and prints JSON", () => {
    expect(parseEnv({ NODE_ENV: "test" })).toMatchObject({ seed: false, log: { format: "json" }, host: "127.0.0.1" });
  });

  test("production listens everywhere, seeds nobody and needs a database and keys", () => {
    expect(parseEnv(production)).toMatchObject({
      host: "0.0.0.0",
      publicUrl: "http://localhost:3000",
      seed: false,
      admin: { email: null, password: null },
      log: { format: "json" },
      shutdown: { leadMs: 1000 },
    });
    expect(faultsOf({ NODE_ENV: "production" })).toEqual(["DATABASE_URL", "JWT_KEYS"]);
  });

  test("every default is itself acceptable", () => {
    for (const { name, fallback, schema } of settings)
      for (const mode of modes)
        if (fallback[mode] !== null) expect([name, schema.safeParse(fallback[mode]).success]).toEqual([name, true]);
  });

  test("an empty text is an absent one", () => {
    expect(parseEnv({ PORT: "", NODE_ENV: "", PROBE_TOKEN: "" })).toEqual(parseEnv({}));
    expect(faultsOf({ ...production, DATABASE_URL: "" })).toEqual(["DATABASE_URL"]);
  });

  test("the result cannot be changed", () => {
    const env = parseEnv({ ...production, CORS_ORIGINS: "https://a.example" });
    const frozen = (value: unknown): boolean =>
      typeof value !== "object" || value === null || value.constructor.name === "Secret"
        ? true
        : Object.isFrozen(value) && Object.values(value).every(frozen);
    expect(frozen(env)).toBe(true);
  });
});

describe("a bad environment", () => {
  test("names every fault at once, with what is expected", () => {
    const record = {
      PORT: "0x10",
      LOG_LEVEL: "loud",
      DATABASE_MIGRATE: "yes",
      LIMIT_API: "10",
      NODE_ENV: "production",
    };
    expect(() => parseEnv(record)).toThrow(
      [
        "The environment cannot be used:",
        "  PORT: expected an integer from 0 to 65535, in decimal digits",
        "  DATABASE_URL: expected a value in production: memory: | pglite:<dir> | postgres://… with a host | sqlite:<file> | d1:",
        "  DATABASE_MIGRATE: expected true | false | 1 | 0",
        '  JWT_KEYS: expected a value in production: a private JWK Set as JSON, {"keys":[…]}, of 1 to 16 Ed25519 keys (kty OKP, crv, x, d), each with a kid of its own',
        "  LIMIT_API: expected <count>/<seconds>s such as 100/60s, at most a day, or off",
        "  LOG_LEVEL: expected debug | info | warn | error | silent",
      ].join("\n"),
    );
  });

  test("can be wrong in every setting, and says so of each", () => {
    const wrong = Object.fromEntries(settings.map(({ name }) => [name, { not: "text" }]));
    expect(faultsOf(wrong)).toEqual(settings.map(({ name }) => name).sort());
  });

  test("is never quoted", () => {
    const canary = "zq7canary";
    const shapes = [
      canary,
      `${canary} ${canary}`,
      `postgres://${canary}:${canary}@`,
      `postgres://u:changeme@${canary}/db`,
      `https://${canary}/?q=${canary}`,
      `{"keys":[{"kid":"${canary}","d":"${canary}"}]}`,
      `{"keys":[${canary}`,
      `${canary}-changeme`,
      keys(key(canary, { d: "A".repeat(43) })),
      `sqlite:${canary}`,
      `d1:${canary}`,
    ];
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...shapes, undefined), { minLength: settings.length, maxLength: settings.length }),
        fc.constantFrom(...modes, canary),
        fc.constantFrom<Platform>("process", "worker"),
        (values, mode, platform) => {
          const record = Object.fromEntries(settings.map(({ name }, i) => [name, values[i]]));
          try {
            parseEnv({ ...record, NODE_ENV: mode, PORT: canary }, platform);
          } catch (error) {
            expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(canary);
            return;
          }
          throw new Error("PORT was wrong");
        },
      ),
    );
  });

  test.each([
    ["PORT", ["0x10", "1e3", " 5", "5 ", "+5", "-1", "65536", "010", "3.0", "٣", "99999999999999999999"]],
    ["DATABASE_MIGRATE", ["True", "yes", "on", "2", "constructor", "__proto__"]],
    ["NODE_ENV", ["prod", "Production", "toString"]],
    ["HOST", ["a b", "http://x", "[::1]"]],
    ["PUBLIC_URL", ["example.com", "ftp://a", "https://u:p@a.example", "https://a.example/?x", "https://a.example/#x"]],
    [
      "DATABASE_URL",
      ["pglite:", "sqlite:", "memory", "memory:x", "mysql://h/d", "postgres://", "postgres:///d", "d1:", "d1:x"],
    ],
    ["DATABASE_REPLICA_URLS", ["postgres://replica/db"]],
    ["REDIS_URL", ["http://h", "redis://", "localhost:6379", "redis://h/main"]],
    [
      "CORS_ORIGINS",
      [
        "*",
        "null",
        "https://a.example/",
        "https://a.example,*",
        "https://A.example",
        "https://a.example:443",
        "a.example",
        ",",
      ],
    ],
    ["TRUSTED_PROXIES", ["proxy", "10.0.0.0/33", "256.1.1.1", "10.0.0.1;10.0.0.2", "::1/129"]],
    ["REQUEST_TIMEOUT_MS", ["8001", "0"]],
    ["LIMIT_API", ["0/60s", "10/0s", "10/60", "10/60m", "10/86401s", "none", "-1/60s", "1e3/60s"]],
    ["LIMIT_STORE", ["redis", "kv"]],
    ["BUS", ["redis", "postgres", "kafka"]],
    ["CACHE_STORE", ["redis", "two-level", "kv", "disk"]],
    ["QUEUE", ["bullmq", "cloudflare", "inline"]],
    ["CACHE_MEMORY_ENTRIES", ["0", "1e6"]],
    ["CACHE_MEMORY_BYTES", ["65535", "32M"]],
    ["ALERT_WINDOW_S", ["59", "5m"]],
    ["ALERT_FAILURES", ["0"]],
    ["ALERT_WAITING_S", ["9"]],
    ["PROBE_TOKEN", ["x".repeat(31), `${"x".repeat(31)} y`]],
    ["SESSION_IDLE_S", ["2592001"]],
    ["SHUTDOWN_LEAD_MS", ["25001"]],
    ["ADMIN_EMAIL", ["admin", "a@b", "a b@c.example"]],
    [
      "JWT_KEYS",
      [
        "{}",
        "[",
        keys(),
        keys(key("a"), key("a")),
        keys(key("")),
        keys(key("a", { d: undefined })),
        keys(key("a", { d: "short" })),
        keys(key("a", { kty: "EC" })),
        keys(key("a", { crv: "X25519" })),
        keys(key("a", { use: "enc" })),
      ],
    ],
  ] as [string, string[]][])("%s refuses what is nearly right", (name, values) => {
    for (const value of values) expect([value, faultsOf({ [name]: value })]).toEqual([value, [name]]);
  });
});

describe("values", () => {
  test("a database URL says which engine it is", () => {
    const url = (text: string) => parseEnv({ DATABASE_URL: text }).database.url;
    expect(url("memory:")).toEqual({ engine: "pglite", dir: null });
    expect(url("pglite:./x y")).toEqual({ engine: "pglite", dir: "./x y" });
    expect(url("sqlite:/var/lib/hearth.db")).toEqual({ engine: "sqlite", file: "/var/lib/hearth.db" });
    for (const text of ["postgres://postgres@127.0.0.1:5432/a", "postgresql://u:p%23@h/db?sslmode=require"]) {
      const parsed = url(text);
      expect(parsed.engine === "postgres" && parsed.url.reveal()).toBe(text);
    }
  });

  test("lists are split at commas", () => {
    const env = parseEnv({
      DATABASE_URL: "postgres://a/x",
      DATABASE_REPLICA_URLS: "postgres://b/x, postgres://c/x",
      CORS_ORIGINS: "https://a.example,http://localhost:5173",
      TRUSTED_PROXIES: "10.0.0.0/8, ::1,2001:db8::/32",
    });
    expect(env.database.replicas.map((url) => url.reveal())).toEqual(["postgres://b/x", "postgres://c/x"]);
    expect(env.corsOrigins).toEqual(["https://a.example", "http://localhost:5173"]);
    expect(env.trustedProxies).toEqual(["10.0.0.0/8", "::1", "2001:db8::/32"]);
  });

  test("limits are counts within a window, or off", () => {
    expect(parseEnv({ LIMIT_API: "5/1s", LIMIT_LOGIN: "off" }).limits).toMatchObject({
      api: { limit: 5, windowMs: 1000 },
      login: null,
    });
  });

  test("limits are counted in Redis as soon as there is one", () => {
    expect(parseEnv({ REDIS_URL: "redis://127.0.0.1:6379" }).limitStore).toBe("redis");
    expect(parseEnv({ REDIS_URL: "redis://127.0.0.1:6379", LIMIT_STORE: "database" }).limitStore).toBe("database");
  });

  test("the bus is on Redis where there is one, else on a PostgreSQL that is the database", () => {
    const REDIS_URL = "redis://127.0.0.1:6379";
    const DATABASE_URL = "postgres://u@h/d";
    expect(parseEnv({ DATABASE_URL }).bus).toBe("postgres");
    expect(parseEnv({ DATABASE_URL, REDIS_URL }).bus).toBe("redis");
    expect(parseEnv({ REDIS_URL }).bus).toBe("redis");
    for (const BUS of ["memory", "postgres", "redis"] as const)
      expect(parseEnv({ DATABASE_URL, REDIS_URL, BUS }).bus).toBe(BUS);
    expect(faultsOf({ DATABASE_URL: "sqlite:x.db", REDIS_URL, BUS: "postgres" })).toEqual(["BUS"]);
    expect(faultsOf({ DATABASE_URL, BUS: "redis" })).toEqual(["BUS"]);
  });

  test("jobs are taken from the database, unless they are to be carried", () => {
    const REDIS_URL = "redis://127.0.0.1:6379";
    expect(parseEnv({ REDIS_URL }).jobs.dispatch).toBe("database");
    expect(parseEnv({ REDIS_URL, QUEUE: "bullmq" }).jobs.dispatch).toBe("bullmq");
    expect(faultsOf({ REDIS_URL, QUEUE: "cloudflare" })).toEqual(["QUEUE"]);
  });

  test("cached values are in memory, before Redis where there is one", () => {
    const REDIS_URL = "redis://127.0.0.1:6379";
    expect(parseEnv({}).cache.store).toBe("memory");
    expect(parseEnv({ REDIS_URL }).cache.store).toBe("two-level");
    for (const CACHE_STORE of ["memory", "redis", "two-level"] as const)
      expect(parseEnv({ REDIS_URL, CACHE_STORE }).cache.store).toBe(CACHE_STORE);
  });

  test("booleans are exact", () => {
    expect([..."10"].map((SEED) => parseEnv({ SEED }).seed)).toEqual([true, false]);
    expect(parseEnv({ SEED: "false" }).seed).toBe(false);
  });

  test("the public URL ends without a slash and can be opened", () => {
    expect(parseEnv({ PUBLIC_URL: "https://api.example.com/v/" }).publicUrl).toBe("https://api.example.com/v");
    expect(parseEnv({ PUBLIC_URL: "https://api.example.com" }).publicUrl).toBe("https://api.example.com");
    expect(parseEnv({ HOST: "::1", PORT: "8080" }).publicUrl).toBe("http://[::1]:8080");
  });

  test("signing keys keep their order and only their own members", () => {
    const env = parseEnv({ JWT_KEYS: keys(key("new", { use: "sig", alg: "EdDSA", note: "x" }), key("old")) });
    expect(env.jwt.keys?.reveal()).toEqual([key("new"), key("old")] as never);
  });

  test("secrets print as [secret]", () => {
    const env = parseEnv({
      ...production,
      REDIS_URL: "redis://:Vq8mZr2k@h",
      ADMIN_EMAIL: "root@corp.example",
      ADMIN_PASSWORD: "Vq8mZr2k-Vq8mZr2k",
      PROBE_TOKEN: "Vq8mZr2kVq8mZr2kVq8mZr2kVq8mZr2k",
    });
    for (const text of [JSON.stringify(env), inspect(env, { depth: 9 }), Bun.inspect(env, { depth: 9 })]) {
      expect(text).not.toContain("Vq8mZr2k");
      expect(text).not.toContain(b64(2));
      expect(text).toContain("[secret]");
    }
  });
});

describe("production", () => {
  const refuses = (record: Record<string, string>) =>
    faultsOf({ ...production, ADMIN_EMAIL: "root@corp.example", ...record });

  test("refuses short and placeholder passwords", () => {
    const weak = ["Ab3!Ab3?Ab9", "changeme-changeme", "Password1234!", "admin-secret-123", "hearth-admin-2026"];
    for (const word of [...weak, "123456789012", "aaaaaaaaaaaa", "abababababab", "replace-me-now!"])
      expect([word, refuses({ ADMIN_PASSWORD: word })]).toEqual([word, ["ADMIN_PASSWORD"]]);
    for (const word of ["correct horse battery", "Tr7!kq-92xz-LmWe", "administrative-otter-plum"])
      expect([word, refuses({ ADMIN_PASSWORD: word })]).toEqual([word, []]);
  });

  test("accepts the same passwords in development", () => {
    expect(faultsOf({ ADMIN_PASSWORD: "changeme" })).toEqual([]);
  });

  test("refuses an administrator's password without an address", () => {
    expect(faultsOf({ ...production, ADMIN_PASSWORD: "correct horse battery" })).toEqual(["ADMIN_EMAIL"]);
  });

  test("refuses a placeholder of a probe token", () => {
    for (const token of ["x".repeat(32), "changeme".repeat(4), "your-secret-token-your-secret-token"])
      expect([token, refuses({ PROBE_TOKEN: token })]).toEqual([token, ["PROBE_TOKEN"]]);
    expect(refuses({ PROBE_TOKEN: b64(9) })).toEqual([]);
  });

  test("refuses keys that were printed somewhere or that are no keys", () => {
    const published = {
      d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
      x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    };
    expect(refuses({ JWT_KEYS: keys(key("a"), key("b", published)) })).toEqual(["JWT_KEYS"]);
    expect(refuses({ JWT_KEYS: keys(key("a", { d: "A".repeat(43) })) })).toEqual(["JWT_KEYS"]);
    expect(faultsOf({ JWT_KEYS: keys(key("b", published)) })).toEqual([]);
  });

  test("refuses placeholder passwords in URLs, and leaves private networks to the operator", () => {
    expect(refuses({ DATABASE_URL: "postgres://u:changeme@h/d", REDIS_URL: "redis://:password@h" })).toEqual([
      "DATABASE_URL",
      "REDIS_URL",
    ]);
    expect(refuses({ DATABASE_REPLICA_URLS: "postgres://u:change-me@h/d" })).toEqual(["DATABASE_REPLICA_URLS"]);
    expect(refuses({ DATABASE_URL: "postgres://postgres@127.0.0.1:5432/d" })).toEqual([]);
  });
});

describe("on Workers", () => {
  const DB = { prepare() {}, batch() {} } as unknown as NonNullable<WorkerEnv["DB"]>;
  const HYPERDRIVE = { connectionString: "postgres://u:Vq8mZr2k@hyperdrive.local:5432/d" };
  const base = { NODE_ENV: "test", PUBLIC_URL: "https://api.example.com", JWT_KEYS: keys(key("w")) };
  const worker = (env: WorkerEnv) => parseEnv({ ...base, ...env }, "worker");

  test("the bindings are the database", () => {
    expect(worker({ DB }).database.url).toEqual({ engine: "d1" });
    expect(worker({ DB, HYPERDRIVE }).database.url).toEqual({ engine: "d1" });
    const { url } = worker({ HYPERDRIVE }).database;
    expect(url.engine === "postgres" && url.url.reveal()).toBe(HYPERDRIVE.connectionString);
    expect(worker({ DB, DATABASE_URL: "postgres://h/d" }).database.url.engine).toBe("postgres");
  });

  test("there is no other default, and nothing on a disk", () => {
    expect(faultsOf({ ...base }, "worker")).toEqual(["DATABASE_URL"]);
    expect(() => worker({})).toThrow(
      "DATABASE_URL: expected the binding DB or HYPERDRIVE, or a value: d1: | postgres://…",
    );
    expect(faultsOf({ ...base, DATABASE_URL: "sqlite:x.db" }, "worker")).toEqual(["DATABASE_URL"]);
    expect(faultsOf({ ...base, DATABASE_URL: "d1:", HYPERDRIVE }, "worker")).toEqual(["DATABASE_URL"]);
  });

  test("an absent mode is production", () => {
    expect(parseEnv({ ...base, NODE_ENV: undefined, DB }, "worker").mode).toBe("production");
  });

  test.each(modes)("keys and the public URL have to be given in %s", (mode) => {
    expect(faultsOf({ NODE_ENV: mode, DB }, "worker").sort()).toEqual(["JWT_KEYS", "PUBLIC_URL"]);
  });

  test("replicas are refused", () => {
    expect(faultsOf({ ...base, HYPERDRIVE, DATABASE_REPLICA_URLS: "postgres://h/d" }, "worker")).toEqual([
      "DATABASE_REPLICA_URLS",
    ]);
    expect(faultsOf({ ...base, DB, DATABASE_REPLICA_URLS: "postgres://h/d" }, "worker")).toEqual([
      "DATABASE_REPLICA_URLS",
    ]);
  });

  test("an isolate hears itself alone", () => {
    const REDIS_URL = "redis://127.0.0.1:6379";
    expect(worker({ HYPERDRIVE, REDIS_URL }).bus).toBe("memory");
    for (const BUS of ["postgres", "redis"])
      expect(faultsOf({ ...base, HYPERDRIVE, REDIS_URL, BUS }, "worker")).toEqual(["BUS"]);
  });

  test("jobs are carried by the queue binding JOBS, else taken from the database", () => {
    const REDIS_URL = "redis://127.0.0.1:6379";
    const JOBS = { sendBatch: async () => {} };
    expect(worker({ DB }).jobs.dispatch).toBe("database");
    expect(worker({ DB, JOBS }).jobs.dispatch).toBe("cloudflare");
    expect(worker({ DB, JOBS, QUEUE: "database" }).jobs.dispatch).toBe("database");
    expect(faultsOf({ ...base, DB, QUEUE: "cloudflare" }, "worker")).toEqual(["QUEUE"]);
    expect(faultsOf({ ...base, DB, JOBS, REDIS_URL, QUEUE: "bullmq" }, "worker")).toEqual(["QUEUE"]);
  });

  test("cached values are in the KV binding CACHE, else in the isolate's memory", () => {
    const REDIS_URL = "redis://127.0.0.1:6379";
    const CACHE = { get: async () => null, put: async () => {}, delete: async () => {} };
    expect(worker({ DB, REDIS_URL }).cache.store).toBe("memory");
    expect(worker({ DB, CACHE }).cache.store).toBe("kv");
    expect(worker({ DB, CACHE, CACHE_STORE: "memory" }).cache.store).toBe("memory");
    for (const CACHE_STORE of ["redis", "two-level", "kv"])
      expect(faultsOf({ ...base, DB, REDIS_URL, CACHE_STORE }, "worker")).toEqual(["CACHE_STORE"]);
  });

  test("limits are counted in the database and lines are JSON", () => {
    expect(worker({ DB })).toMatchObject({ limitStore: "database", log: { format: "json" } });
    expect(faultsOf({ ...base, DB, LIMIT_STORE: "memory" }, "worker")).toEqual(["LIMIT_STORE"]);
  });

  test("numbers and booleans of a TOML file are read as text", () => {
    expect(parseEnv({ ...base, DB, BODY_LIMIT_BYTES: 2048, SEED: true }, "worker")).toMatchObject({
      bodyLimitBytes: 2048,
      seed: true,
    });
    expect(faultsOf({ ...base, DB, BODY_LIMIT_BYTES: 2048.5 }, "worker")).toEqual(["BODY_LIMIT_BYTES"]);
  });

  test("a process variable called DB is no binding", () => {
    expect(parseEnv({ DB: "orders", HYPERDRIVE: "x" }).database.url).toEqual({ engine: "pglite", dir: ".data/pglite" });
  });
});

describe("names", () => {
  test("a near miss is reported with what was probably meant", () => {
    expect(parseEnv({ DATABASE_ULR: "x", LIMIT_LOGINS: "x", JWT_KEY: "x", JOBS_CONCURRENCY: "x" }).warnings).toEqual([
      "DATABASE_ULR is not a setting; did you mean DATABASE_URL?",
      "LIMIT_LOGINS is not a setting; did you mean LIMIT_LOGIN?",
      "JWT_KEY is not a setting; did you mean JWT_KEYS?",
      "JOBS_CONCURRENCY is not a setting; did you mean JOB_CONCURRENCY?",
    ]);
  });

  test("other variables are nobody's business", () => {
    expect(parseEnv({ PATH: "/bin", POST: "1", DATABASE_HOST: "h", LIMIT_MEMORY_MB: "1" }).warnings).toEqual([]);
  });
});

test.each(Object.keys(outputs))("%s is what the settings say: run `bun scripts/env-example.ts`", (path) => {
  expect(readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")).toBe(outputs[path]?.() ?? "");
});

describe("the audit trail", () => {
  test("its keys are other ones than those of tokens, in production", () => {
    const own = keys(key("seals", { d: b64(9), x: b64(8) }));
    expect(parseEnv({ ...production, AUDIT_KEYS: own }).audit.keys?.reveal()).toHaveLength(1);
    expect(faultsOf({ ...production, AUDIT_KEYS: production.JWT_KEYS })).toEqual(["AUDIT_KEYS"]);
    expect(parseEnv(production).audit).toEqual({ keys: null, anchors: [], s3: null });
  });

  test("anchors are files and addresses, and on Workers addresses alone", () => {
    const AUDIT_ANCHORS = "file:.data/seals, https://keep.example.com/seals?token=x";
    const { anchors } = parseEnv({ AUDIT_ANCHORS }).audit;
    expect(anchors).toMatchObject([{ kind: "file", path: ".data/seals" }, { kind: "webhook" }]);
    expect(inspect(anchors)).not.toContain("token");
    for (const wrong of ["s3://bucket", "s3:bucket", "s3:https://a:b@host/bucket", "r2:bucket"])
      expect(faultsOf({ AUDIT_ANCHORS: wrong })).toEqual(["AUDIT_ANCHORS"]);
    const bucket = { AUDIT_ANCHORS: "s3:https://s3.example.com/bucket/seals/", AUDIT_S3_REGION: "auto" };
    expect(faultsOf(bucket)).toEqual(["AUDIT_ANCHORS"]);
    const s3 = parseEnv({ ...bucket, AUDIT_S3_ACCESS_KEY_ID: "id-of-a-key", AUDIT_S3_SECRET_ACCESS_KEY: "its-secret" });
    expect(s3.audit.anchors).toEqual([{ kind: "s3", url: "https://s3.example.com/bucket/seals" }]);
    expect(inspect(s3.audit)).not.toMatch(/id-of-a-key|its-secret/);
    expect(faultsOf({ AUDIT_ANCHORS: "r2:" })).toEqual(["AUDIT_ANCHORS"]);
    const worker = {
      ...production,
      PUBLIC_URL: "https://api.example.com",
      DATABASE_URL: undefined,
      DB: { batch() {} },
    };
    expect(faultsOf({ ...worker, AUDIT_ANCHORS }, "worker")).toEqual(["AUDIT_ANCHORS"]);
    expect(faultsOf({ ...worker, AUDIT_ANCHORS: "https://keep.example.com" }, "worker")).toEqual([]);
    expect(faultsOf({ ...worker, AUDIT_ANCHORS: "r2:" }, "worker")).toEqual(["AUDIT_ANCHORS"]);
    expect(faultsOf({ ...worker, AUDIT_ANCHORS: "r2:", SEALS: { put() {} } }, "worker")).toEqual([]);
  });
});
