import { afterAll, expect, test } from "bun:test";
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { createPinoLog } from "../../src/ports/log/pino.ts";
import { createPrettyLog } from "../../src/ports/log/pretty.ts";
import { temporaryFolder } from "../helpers/databases.ts";
import { nodes } from "../helpers/nodes.ts";
import { logContract } from "./log.ts";

const folder = temporaryFolder();
afterAll(folder.remove);
let files = 0;
const newFile = () => {
  const path = join(folder.path, String(files++));
  return { to: openSync(path, "a"), text: () => readFileSync(path, "utf8") };
};

logContract("console", ({ level, clock }) => {
  let written = "";
  const print = (line: string) => {
    written += `${line}\n`;
  };
  const log = createConsoleLog({ level, clock, print });
  return { log, text: async () => written };
});

logContract("pino", ({ level, clock }) => {
  const { to, text } = newFile();
  return { log: createPinoLog({ level, clock, to }), text: async () => text() };
});

/** How a process ends, its exit code, and how many lines it leaves: more than one write takes, unless none may be under way at the end. */
const ends = [
  ["exit", 3, 100],
  ["throw", 1, 1_000],
  ["flush", null, 1_000],
  ["idle", 0, 1_000],
] as const;

for (const { name, path } of [{ name: "Bun", path: process.execPath }, ...nodes]) {
  for (const [end, code, count] of ends) {
    test(`on ${name} no line is lost when the process ends by ${end}`, async () => {
      const script = new URL("./log.peer.ts", import.meta.url).pathname;
      const child = Bun.spawn([path, script, end, String(count)], { stderr: "ignore" });
      const output = (await new Response(child.stdout).text()).split("\n").slice(0, -1);
      const found = output.map((line) => JSON.parse(line).n ?? "fault");
      const numbers = Array.from({ length: count }, (_, n) => n);
      expect(found).toEqual(end === "throw" ? [...numbers, "fault"] : numbers);
      await child.exited;
      expect(child.exitCode).toBe(code);
    });
  }
}

const { to, text } = newFile();
const pretty = await createPrettyLog({ level: "debug", colour: false, to });

test("the pretty log shows what would act on a terminal, and does not do it", async () => {
  const evil = "a\u001b[31mred\u001b]0;title\u0007\rb\nforged\u009bx\u202etxt\u0000";
  pretty.child({ [`k${evil}`]: evil }).warn({ evil, list: [evil], err: new Error(evil), deep: { evil } }, evil);
  pretty.request({ requestId: evil, traceId: "t", actor: evil, method: evil, route: null, status: 404, ms: 2 });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must be absent
  expect(text()).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e]/);
  expect(text()).toContain("a\\u001b[31mred");
  expect(text()).not.toMatch(/^forged/m);
});

test("the pretty log says a request as a sentence, with its ids to search for, and redacts as the others do", async () => {
  pretty.request({
    requestId: "req_1",
    traceId: "t",
    actor: "user_1",
    method: "GET",
    route: "/v1/me",
    status: 200,
    ms: 1.5,
  });
  pretty.error({ password: "t0ps3cret", err: new Error("broken") }, "failed");
  expect(text()).toMatch(/INFO.*GET \/v1\/me 200 in 1\.5 ms.*"requestId":"req_1".*"actor":"user_1"/);
  expect(text()).toMatch(/ERROR.*failed.*"password":"\[redacted\]"/);
  expect(text()).toMatch(/Error: broken\n\s+at .*log\.test\.ts/);
  expect(text()).not.toContain("t0ps3cret");
});
