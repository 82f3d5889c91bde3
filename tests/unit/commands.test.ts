/** Every command of package.json says what it is for, and refuses what it does not know. */
import { afterAll, expect, test } from "bun:test";
import manifest from "../../package.json";
import { runScript } from "../helpers/command.ts";
import { temporaryFolder } from "../helpers/databases.ts";

const folder = temporaryFolder();
afterAll(folder.remove);

const commands = Object.entries(manifest.scripts).flatMap(([name, line]) => {
  const [, script] = /^bun scripts\/([\w-]+)\.ts$/.exec(line) ?? [];
  return script ? [[name, script] as const] : [];
});
const run = (script: string, arg: string) => runScript(script, [arg], { cwd: folder.path });

test("there are commands", () => expect(commands.length).toBeGreaterThan(10));

test.each(commands)("%s --help tells how it is used", async (name, script) => {
  const { code, out, err } = await run(script, "--help");
  expect([code, err]).toEqual([0, ""]);
  expect(out).toContain(`\nUsage: bun run ${name}`);
  expect(out).toMatch(/^ {2}--help +This$/m);
});

test.each(commands)("%s refuses an option that it does not know, in one line", async (name, script) => {
  const { code, out, err } = await run(script, "--nonsense");
  expect(code).toBeOneOf([1, 2]);
  expect(out).toBe("");
  expect(err).toBe(`Unknown option '--nonsense'. \`bun run ${name} --help\` tells all.\n`);
});
