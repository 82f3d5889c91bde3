/** What is deployed to Workers, built by wrangler as a deployment builds it: its size, and what is not in it. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { writeAssets } from "../../scripts/build-worker.ts";
import { findNode } from "../../scripts/node.ts";
import { temporaryFolder } from "../helpers/databases.ts";

const MAX_KB = 400;
const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = temporaryFolder();
afterAll(folder.remove);

let inputs: string[] = [];

beforeAll(() => {
  writeAssets(join(folder.path, "assets"));
  const metafile = join(folder.path, "meta.json");
  const { status, stderr } = spawnSync(
    findNode(),
    [
      join(root, "node_modules/wrangler/bin/wrangler.js"),
      ...["deploy", "--dry-run", "--env=", "--assets", join(folder.path, "assets")],
      ...["--outdir", join(folder.path, "out"), "--metafile", metafile],
    ],
    { cwd: root, encoding: "utf8", env: { ...process.env, WRANGLER_SEND_METRICS: "false" } },
  );
  if (status !== 0) throw new Error(stderr);
  inputs = Object.keys(JSON.parse(readFileSync(metafile, "utf8")).inputs);
}, 60_000);

test(`the Worker is smaller than ${MAX_KB} kB, compressed`, () => {
  const files = readdirSync(join(folder.path, "out")).filter((name) => /\.(js|wasm)$/.test(name));
  const sizes = files.map((name) => gzipSync(readFileSync(join(folder.path, "out", name))).length);
  const kb = Math.round(sizes.reduce((sum, size) => sum + size, 0) / 1000);
  console.log(`The Worker is ${kb} kB compressed, of ${MAX_KB} allowed.`);
  expect(files).toHaveLength(2);
  expect(kb).toBeLessThan(MAX_KB);
});

test("what belongs to servers, to tests or to one machine is not in it", () => {
  const foreign =
    /node_modules\/(ioredis|bullmq|pino|pino-pretty|dotenv|@electric-sql|@hono\/node-server|@scalar|drizzle-kit)\/|node_modules\/postgres\/(src|cjs)\/|mock-data|^(tests|scripts|bench)\/|\/(bun|node)(-sqlite)?\.ts$/;
  expect(inputs.length).toBeGreaterThan(100);
  expect(inputs.filter((path) => foreign.test(path))).toEqual([]);
  expect(inputs.some((path) => path.includes("node_modules/postgres/cf/"))).toBe(true);
});
