/** The Worker in a real workerd, with nothing but this machine behind it: up in about three seconds. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { seed } from "../../db/seed.ts";
import { askNode } from "../../scripts/ask-node.ts";
import { writeAssets } from "../../scripts/build-worker.ts";
import { type WorkerConfig, wranglerConfig } from "../../scripts/wrangler.ts";
import { systemClock } from "../../src/core/clock.ts";
import { Secret } from "../../src/core/secret.ts";
import { generateKeys } from "../../src/modules/auth/keys.ts";
import { d1Migrations } from "../../src/ports/db/d1-migrations.ts";
import { migrate } from "../../src/ports/db/migrate.ts";
import { createPgDb } from "../../src/ports/db/pg.ts";
import { createPostgres } from "../../src/ports/db/postgres.ts";
import { createNativePasswords } from "../../src/ports/passwords/native.ts";
import { temporaryFolder } from "./databases.ts";
import { poolOf } from "./postgres.ts";

export interface WorkerOptions {
  /** `d1` is new, and in memory. The PostgreSQL database at the address is migrated and seeded. */
  database: "d1" | { hyperdrive: string };
  /** Settings, beside those that a test environment needs. */
  vars?: Record<string, string>;
  admin?: Admin;
  /** Another Worker than the project's. */
  main?: string;
  /** Whether jobs are carried by a queue. */
  queue?: boolean;
}

export interface Admin {
  email: string;
  password: string;
}

export interface Worker {
  url: string;
  admin: Admin;
  /** What the Worker has printed so far. */
  logs(): Promise<Print[]>;
  /** Runs SQL on the Worker's D1. */
  query(text: string, params?: readonly string[]): Promise<Record<string, unknown>[]>;
  /** What the objects of its bucket SEALS hold, by name; after these were put. */
  seals(put?: Record<string, string>): Promise<Record<string, string>>;
  /** As the cron trigger does each minute. Resolves when all of it is done. */
  tick(): Promise<void>;
  stop(): Promise<void>;
}

export interface Print {
  level: string;
  message: string;
}

/** What the Node process is told first. */
export interface HarnessOptions {
  root: string;
  config: WorkerConfig;
  admin: Admin;
}
/** What it is asked then. */
export type Question =
  | { ask: "logs" }
  | { ask: "seals"; put: Record<string, string> }
  | { ask: "tick" }
  | { ask: "query"; text: string; params: readonly string[] };

const ADMIN: Admin = { email: "admin@example.com", password: "Correct-horse-battery-9" };
const root = fileURLToPath(new URL("../../", import.meta.url));
const script = fileURLToPath(new URL("./workerd.node.ts", import.meta.url));

/** Rejects with what wrangler printed when the Worker does not start. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const { database, admin = ADMIN } = options;
  const folder = temporaryFolder();
  try {
    if (database !== "d1") await prepare(database.hyperdrive, admin);
    const config = await configOf(options, folder.path);
    const node = askNode(script, { CLOUDFLARE_CF_FETCH_ENABLED: "false", WRANGLER_LOG: "error" });
    const stop = async () => {
      await node.end();
      folder.remove();
    };
    const { url } = (await node.tell({ root, config, admin } satisfies HarnessOptions).catch(async (error) => {
      await stop();
      throw error;
    })) as { url: string };
    const ask = (question: Question) => node.tell(question);
    return {
      url,
      admin,
      logs: () => ask({ ask: "logs" }) as Promise<Print[]>,
      query: (text, params = []) => ask({ ask: "query", text, params }) as Promise<Record<string, unknown>[]>,
      seals: (put = {}) => ask({ ask: "seals", put }) as Promise<Record<string, string>>,
      tick: async () => void (await ask({ ask: "tick" })),
      stop,
    };
  } catch (error) {
    folder.remove();
    throw error;
  }
}

/** The project's own configuration, with another database, other settings, and files of its own. */
async function configOf({ database, vars, main, queue }: WorkerOptions, folder: string) {
  // Secrets are given as variables here, and both may not have one name.
  const { d1_databases, hyperdrive: _hyperdrive, secrets: _secrets, env: _env, assets, ...rest } = wranglerConfig;
  const directory = join(folder, "assets");
  writeAssets(directory);
  const migrations_dir = join(folder, "d1");
  mkdirSync(migrations_dir);
  for (const { name, sql } of d1Migrations()) writeFileSync(join(migrations_dir, `${name}.sql`), sql);
  return {
    ...rest,
    ...(main && { main }),
    ...(queue && { queues: jobsQueue }),
    assets: { ...assets, directory },
    vars: {
      NODE_ENV: "test",
      PUBLIC_URL: "http://localhost",
      JWT_KEYS: JSON.stringify({ keys: await generateKeys() }),
      ...vars,
    },
    ...(database === "d1"
      ? {
          d1_databases: (d1_databases ?? []).map((d1) => ({ ...d1, migrations_dir })),
          // Beside D1 values are cached in KV, beside PostgreSQL in the isolate's memory.
          kv_namespaces: [{ binding: "CACHE", id: "local" }],
          r2_buckets: [{ binding: "SEALS", bucket_name: "seals" }],
        }
      : {
          hyperdrive: [
            { binding: "HYPERDRIVE", id: "local", localConnectionString: withPassword(database.hyperdrive) },
          ],
        }),
  };
}

/** As wrangler.toml shows it. */
const jobsQueue = {
  producers: [{ binding: "JOBS", queue: "hearth-jobs" }],
  consumers: [{ queue: "hearth-jobs", max_batch_size: 10, max_batch_timeout: 0, max_retries: 100 }],
};

/** Hyperdrive refuses an address without a password, also where the server asks for none. */
function withPassword(address: string): string {
  const url = new URL(address);
  url.password ||= "none";
  return url.href;
}

async function prepare(url: string, { email, password }: Admin): Promise<void> {
  const db = createPgDb({ engine: "postgres", primary: createPostgres(poolOf(url)) });
  await migrate(db);
  await seed(db, {
    passwords: createNativePasswords(),
    clock: systemClock,
    mode: "test",
    admin: { email, password: new Secret(password) },
    samples: false,
  });
  await db.close();
}
