/** A Node process that answers one line of JSON for each that it gets, in order: for what runs on Node alone, as wrangler does. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { findNode } from "./node.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

/** It gets these variables and no others. */
export function askNode(script: string, variables: Record<string, string | undefined>) {
  const child = spawn(findNode(), ["--disable-warning=ExperimentalWarning", script], {
    env: {
      PATH: process.env.PATH ?? "",
      HOME: process.env.HOME ?? "",
      WRANGLER_SEND_METRICS: "false",
      // Wrangler is one file of 14 MB: compiled once, a start takes about 0.7 s less.
      NODE_COMPILE_CACHE: join(root, ".cache/node"),
      ...variables,
    },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  let printed = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let last: Promise<unknown> = Promise.resolve();

  async function exchange(value: unknown): Promise<unknown> {
    child.stdin.write(`${JSON.stringify(value)}\n`);
    const { value: line, done } = await answers.next();
    if (done) throw new Error(`the Node process ended: ${printed}`);
    const answer = JSON.parse(line) as { value: unknown } | { error: string };
    if ("error" in answer) throw new Error(answer.error);
    return answer.value;
  }
  return {
    tell(value: unknown): Promise<unknown> {
      const answer = last.catch(() => {}).then(() => exchange(value));
      last = answer;
      return answer;
    },
    async end() {
      child.stdin.end();
      await exited;
    },
  };
}
