/**
 * The environment of a Bun or Node process, in layers; the last wins: `.env`, `.env.local` (not in test), `.env.<mode>`,
 * `.env.<mode>.local`, the process environment.
 *
 * The files are parsed by the `dotenv` package because one parser has to serve both runtimes. `parseEnv` of `node:util` does not: in Bun
 * 1.4.5 and Node 22 and 24 it differs on `\"` inside double quotes, on `export NAME=` without a value, on `NAME: value`, on a byte order
 * mark, and Node reads the next line as the value of one that holds a tab alone.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parse } from "dotenv";
import { EnvError } from "../env.ts";
import { type Mode, modes } from "../env-settings.ts";

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * All variables, layered. Values are taken as they stand: `$NAME` is not expanded.
 *
 * The mode is `NODE_ENV` of `processEnv`, since it chooses the files; a file that says otherwise is refused with an EnvError, for half of the
 * settings would be of one mode and half of the other. An unknown mode adds no files of its own, and is left for `parseEnv` to refuse.
 */
export function readEnvironment(dir: string, processEnv: Variables): Record<string, string> {
  const named = processEnv.NODE_ENV || "development";
  const mode = modes.find((known) => known === named);
  const files = layers(dir, mode);
  if (files.NODE_ENV && files.NODE_ENV !== named)
    throw new EnvError([
      { name: "NODE_ENV", expected: "to be set in the process environment; a .env file contradicts it" },
    ]);
  const own = Object.entries(processEnv).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...files, ...Object.fromEntries(own) };
}

/** `readEnvironment` for this process, without what Bun has put into `process.env` from the files by itself. */
export function readOwnEnvironment(dir: string): Record<string, string> {
  return readEnvironment(dir, withoutBunsLayers(dir, process.env, initialNames()));
}

/**
 * `bunfig.toml` (`env = false`) and `--no-env-file` keep Bun from loading the files, but a build that is started where no `bunfig.toml` is
 * gets them in Bun's order, as if they were the process environment. A variable that a file names, and that was not there when the process
 * was started, came from Bun and is taken away again. `started` is null where that cannot be known or did not happen.
 */
export function withoutBunsLayers(dir: string, processEnv: Variables, started: ReadonlySet<string> | null): Variables {
  if (!started) return processEnv;
  const named = Object.assign({}, ...[undefined, ...modes].map((mode) => layers(dir, mode)));
  return Object.fromEntries(
    Object.entries(processEnv).filter(([name]) => started.has(name) || !Object.hasOwn(named, name)),
  );
}

/**
 * The names that the process was started with; null on Node, with an explicit `--env-file` or `--no-env-file`, and off Linux, which alone
 * shows the first environment. Off Linux a Bun without `bunfig.toml` therefore needs `--no-env-file`.
 */
function initialNames(): ReadonlySet<string> | null {
  if (!process.versions.bun || process.execArgv.some((arg) => /^--(?:no-)?env-file\b/.test(arg))) return null;
  try {
    const lines = readFileSync("/proc/self/environ", "utf8").split("\0");
    return new Set(lines.map((line) => line.slice(0, line.indexOf("="))));
  } catch {
    return null;
  }
}

function layers(dir: string, mode: Mode | undefined): Record<string, string> {
  const names = [
    ".env",
    ...(mode === "test" ? [] : [".env.local"]),
    ...(mode ? [`.env.${mode}`, `.env.${mode}.local`] : []),
  ];
  return Object.assign({}, ...names.map((name) => parse(textOf(join(dir, name)))));
}

/** A file that is not there is an empty layer; one that cannot be read is a fault. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
