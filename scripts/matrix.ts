/**
 * Writes what the drivers lack into README.md; then runs the conformance suite in every cell, prints which passed, and writes that when all
 * did. `--drivers` runs nothing.
 */
import process from "node:process";
import { runtimeNames, runtimes, table } from "../tests/conformance/cells.ts";
import { driversTable } from "../tests/conformance/drivers.ts";
import { write, writeMatrix } from "../tests/conformance/readme.ts";
import { flag, plainArgs } from "./args.ts";

const HELP = `Writes what the drivers lack into README.md; then runs the conformance suite in every cell, and writes which passed.

Usage: bun run matrix [--drivers]

  --drivers  Runs nothing
  --help     This`;

const { values: given } = plainArgs("matrix", HELP, { drivers: flag });
await write("drivers", driversTable());
if (given.drivers) process.exit(0);

const files = runtimes.map((runtime) => `tests/conformance/${runtime}.test.ts`);
const child = Bun.spawn([process.execPath, "test", "--timeout", "60000", ...files], {
  cwd: new URL("..", import.meta.url).pathname,
  stdout: "pipe",
  stderr: "inherit",
});
let printed = "";
const decoder = new TextDecoder();
for await (const chunk of child.stdout) {
  process.stdout.write(chunk);
  printed += decoder.decode(chunk, { stream: true });
}
const lines = printed.split("\n");
const rows = runtimes.map(
  (runtime) =>
    lines.find((line) => line.startsWith(`| ${runtimeNames[runtime]} |`)) ?? `| ${runtimeNames[runtime]} | |`,
);
const matrix = table(rows);
console.log(`\n${matrix}\n`);
if ((await child.exited) !== 0) process.exit(1);
await writeMatrix(matrix);
