/** The commands about the trail on D1: sealed, exported, given up, and verified all the same. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openD1 } from "../../scripts/d1.ts";
import { findNode } from "../../scripts/node.ts";
import { generateKeys } from "../../src/modules/auth/keys.ts";
import { d1Migrations } from "../../src/ports/db/d1-migrations.ts";
import { temporaryFolder } from "../helpers/databases.ts";
import { write } from "./audit.ts";

const root = join(import.meta.dir, "../..");
const folder = temporaryFolder();
const place = ["--d1", "--local", "--persist-to", folder.path];
const AUDIT_KEYS = JSON.stringify({ keys: await generateKeys() });

async function run(command: string[], env: Record<string, string> = {}) {
  const child = Bun.spawn(command, {
    cwd: root,
    env: { PATH: process.env.PATH ?? "", HOME: folder.path, WRANGLER_SEND_METRICS: "false", ...env },
    stdin: "ignore",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, out: out.trim(), err };
}
const audit = (...args: string[]) =>
  run([process.execPath, "scripts/audit.ts", ...args], { NODE_ENV: "test", AUDIT_KEYS });

beforeAll(async () => {
  const file = join(folder.path, "schema.sql");
  writeFileSync(
    file,
    d1Migrations()
      .map(({ sql }) => sql)
      .join("\n"),
  );
  const wrangler = [findNode(), "node_modules/wrangler/bin/wrangler.js", "d1", "execute", "DB", "--env="];
  const made = await run([...wrangler, "--local", "--persist-to", folder.path, "--yes", "--file", file], {
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
  });
  if (made.code !== 0) throw new Error(made.err + made.out);
  const db = await openD1({ remote: false, env: undefined, persistTo: folder.path });
  await write(db, 12);
  await db.close();
}, 60_000);
afterAll(folder.remove);

test("what was exported is given up there too, and what stays is verified as before", async () => {
  const [before, after] = [join(folder.path, "before.ndjson"), join(folder.path, "after.ndjson")];
  expect(await audit("seal", ...place)).toEqual({ code: 0, out: "Sealed 12 entries: D1.", err: "" });
  expect((await audit("export", "--out", before, ...place)).code).toBe(0);
  const prune = ["prune", "--before", "0d", "--export", before, "--reason", "kept a year", ...place];
  expect((await audit(...prune)).out).toBe("Pruned up to seal 1, 12 entries: D1.");
  expect((await audit("seal", ...place)).out).toBe("Sealed 1 entry: D1.");
  expect((await audit("export", "--out", after, ...place)).code).toBe(0);
  const { code, out } = await audit("verify", after);
  expect([code, out.split("\n")[0]]).toEqual([0, "3 seals; entries: 1 proved, 12 pruned."]);
  // What the export does not hold is not given up.
  const refused = await audit(...prune);
  expect([refused.code, refused.err]).toEqual([2, expect.stringContaining("The export ends before the seals")]);
}, 120_000);

test("which database it is has to be said", async () => {
  for (const args of [["--d1"], ["--d1", "--local", "--remote"]])
    expect(await audit("seal", ...args)).toMatchObject({
      code: 2,
      err: expect.stringContaining("--remote, or --local"),
    });
});
