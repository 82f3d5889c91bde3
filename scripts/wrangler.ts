/** Wrangler, and what is read of its configuration. */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import toml from "../wrangler.toml";
import { findNode } from "./node.ts";

export interface WorkerConfig {
  d1_databases?: { binding: string; database_name: string; database_id: string; migrations_dir: string }[];
  hyperdrive?: { binding: string; id: string }[];
  assets: { directory: string };
  vars?: Record<string, string>;
}

/** wrangler.toml, outside of its `[env.*]`. */
export const wranglerConfig: WorkerConfig = toml;

/** An `[env.*]` of wrangler.toml, which inherits no binding and no variable; null when there is none of that name. */
export const wranglerEnvironment = (name: string): Omit<WorkerConfig, "assets"> | null => toml.env?.[name] ?? null;

const root = fileURLToPath(new URL("../", import.meta.url));

/** Runs wrangler in the project, with its output shown and no statistics sent. Answers whether it succeeded. */
export function runWrangler(args: readonly string[]): boolean {
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true" };
  const command = [`${root}node_modules/wrangler/bin/wrangler.js`, ...args];
  return spawnSync(findNode(), command, { stdio: "inherit", env, cwd: root }).status === 0;
}
