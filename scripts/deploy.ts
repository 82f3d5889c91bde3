/**
 * `deploy [--dry-run] [--env <name>]`: migrates the D1 database of wrangler.toml, if it has one, and deploys the Worker. Migrations come
 * first, so the code that still runs has to bear them. A dry run applies them to an empty local database and sends nothing.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { flag, plainArgs, text } from "./args.ts";
import { prepareWorker } from "./build-worker.ts";
import { runWrangler, wranglerConfig } from "./wrangler.ts";

const HELP = `Migrates the D1 database of wrangler.toml, if it has one, and deploys the Worker.

Usage: bun run deploy [options]

  --dry-run     Migrates an empty local database, builds the Worker, and sends nothing
  --env <name>  The environment of wrangler.toml
  --help        This`;

const { values: options } = plainArgs("deploy", HELP, { "dry-run": flag, env: text });
const dryRun = options["dry-run"] ?? false;
/** The empty name is the top level of the file, said outright. */
const named = `--env=${options.env ?? ""}`;
// An environment inherits no bindings and no variables.
const config = options.env === undefined ? wranglerConfig : wranglerConfig.env?.[options.env];
if (!config) fail(`wrangler.toml has no [env.${options.env}].`);
const { d1_databases: databases = [], hyperdrive = [], vars } = config;

if (!dryRun) refusePlaceholders();
prepareWorker();
for (const { binding } of databases) if (!applyMigrations(binding)) process.exit(1);
if (!run("deploy", named, ...(dryRun ? ["--dry-run", "--outdir", "dist/worker"] : []))) process.exit(1);

function applyMigrations(binding: string): boolean {
  const apply = ["d1", "migrations", "apply", binding, named];
  if (!dryRun) return run(...apply, "--remote");
  const folder = mkdtempSync(join(tmpdir(), "hearth-d1-"));
  const applied = run(...apply, "--local", "--persist-to", folder);
  rmSync(folder, { recursive: true, force: true });
  return applied;
}

/** What wrangler.toml comes with, and nobody's account has. */
function refusePlaceholders(): void {
  const isPlaceholder = (id: string) => /^[0-]*$/.test(id);
  if (databases.some(({ database_id }) => isPlaceholder(database_id)))
    fail("wrangler.toml: put in the database_id that `wrangler d1 create` printed.");
  if (hyperdrive.some(({ id }) => isPlaceholder(id)))
    fail("wrangler.toml: put in the id that `wrangler hyperdrive create` printed.");
  if (!vars?.PUBLIC_URL || URL.parse(vars.PUBLIC_URL)?.hostname.includes("example"))
    fail("wrangler.toml: set PUBLIC_URL to where clients reach the service.");
}

function run(...args: string[]): boolean {
  console.log(`\nwrangler ${args.join(" ")}`);
  return runWrangler(args);
}

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}
