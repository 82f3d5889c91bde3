/**
 * Writes what is deployed beside the Worker's own code, which wrangler builds: dist/assets, the script of the API reference, and dist/d1,
 * the migrations.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { execPath } from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const reference = "node_modules/@scalar/api-reference/dist/browser/standalone.js";

/** Throws when the migrations cannot be written. */
export function prepareWorker(): void {
  writeAssets(`${root}dist/assets`);
  const { status } = spawnSync(execPath, [`${root}scripts/db-migrate.ts`, "--d1"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error("dist/d1 could not be written");
}

/** All files in the folder can be served by the Worker, so there is no other one. */
export function writeAssets(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(root + reference, `${folder}/scalar.js`);
}

if (import.meta.main) prepareWorker();
