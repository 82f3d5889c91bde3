/** How commands with words and options read what they are given, and how they end when it is wrong. */
import process from "node:process";
import { type ParseArgsOptionsConfig, parseArgs } from "node:util";

export type Wrong = (message: string) => never;

/** Says in one line what is wrong and where to read on, and ends the process. */
export const wrongUse =
  (command: string, exitCode: 1 | 2): Wrong =>
  (message) => {
    console.error(`${message} \`bun run ${command} --help\` tells all.`);
    process.exit(exitCode);
  };

export function readArgs<O extends ParseArgsOptionsConfig>(options: O, wrong: Wrong) {
  try {
    return parseArgs({ allowPositionals: true, options });
  } catch (error) {
    // Its second sentence tells how to pass a word that begins with a dash, which nothing here does.
    const message = error instanceof Error ? error.message : String(error);
    return wrong(`${message.split(". ")[0]}.`);
  }
}

/** For a command without commands of its own: answers `--help`, and refuses what it does not know before it does anything. */
export function plainArgs<O extends ParseArgsOptionsConfig>(command: string, help: string, options: O, words = 0) {
  if (process.argv.some((given) => given === "--help" || given === "-h")) {
    console.log(help);
    process.exit(0);
  }
  const wrong = wrongUse(command, 1);
  const read = readArgs(options, wrong);
  const surplus = (read.positionals as string[])[words];
  if (surplus !== undefined) wrong(`It does not take "${surplus}".`);
  return read;
}

export const text = { type: "string" } as const;
export const flag = { type: "boolean" } as const;
