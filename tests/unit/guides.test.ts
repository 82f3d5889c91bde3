/** Guides open with lines that run: the first block of a guide is run, and prints what the second one says. */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../helpers/databases.ts";

const root = join(import.meta.dir, "../..");

test.each(["cache", "policy", "queue", "schedule"])("the first lines of docs/guides/%s.md run", async (name) => {
  const guide = readFileSync(join(root, `docs/guides/${name}.md`), "utf8");
  const [, code = "", printed = ""] = /^# .*\n\n```ts\n([\s\S]*?)```\n\n```text\n([\s\S]*?)```/.exec(guide) ?? [];
  expect(code.trim().split("\n").length).toBeWithin(5, 13);
  const folder = temporaryFolder();
  const file = join(folder.path, "guide.ts");
  writeFileSync(file, code.replaceAll(/"\.\/(src|tests|db)\//g, `"${root}/$1/`));
  const child = Bun.spawn([process.execPath, file], {
    cwd: root,
    env: { ...process.env, NODE_PATH: join(root, "node_modules") },
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  folder.remove();
  expect([await child.exited, out, err]).toEqual([0, printed, ""]);
});
