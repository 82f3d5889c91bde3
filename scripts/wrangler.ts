/** Wrangler, and what is read of its configuration. */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import toml from "../wrangler.toml";
import { findNode } from "./node.ts";

export interface WorkerConfig {
  compatibility_date: string;
  secrets?: { required: string[] };
  d1_databases?: { binding: string; database_name: string; database_id: string; migrations_dir: string }[];
  kv_namespaces?: { binding: string; id: string }[];
  r2_buckets?: { binding: string; bucket_name: string }[];
  hyperdrive?: { binding: string; id: string }[];
  queues?: {
    producers: { binding: string; queue: string }[];
    consumers: { queue: string; max_batch_size: number; max_batch_timeout: number; max_retries: number }[];
  };
  triggers?: { crons: string[] };
  main: string;
  assets: { directory: string };
  vars?: Record<string, string>;
}

/** wrangler.toml. */
export const wranglerConfig: WorkerConfig & {
  env?: Record<string, Omit<WorkerConfig, "main" | "assets" | "compatibility_date">>;
} = toml;

const root = fileURLToPath(new URL("../", import.meta.url));

/** Runs wrangler in the project, with its output shown and no statistics sent. Answers whether it succeeded. */
export function runWrangler(args: readonly string[]): boolean {
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true" };
  const command = [`${root}node_modules/wrangler/bin/wrangler.js`, ...args];
  return spawnSync(findNode(), command, { stdio: "inherit", env, cwd: root }).status === 0;
}
