/** The service as a process of its own, from the sources or a build, on a free port, in an empty folder, with nothing of this process's environment. */
import { type ChildProcess, spawn } from "node:child_process";
import { temporaryFolder } from "./databases.ts";
import { nodes } from "./nodes.ts";

export const processRuntimes = ["bun", "node22", "node24"] as const;
export type ProcessRuntime = (typeof processRuntimes)[number];

export interface LogLine {
  level: string;
  time: string;
  msg: string;
  [field: string]: unknown;
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface Server {
  url: string;
  pid: number;
  /** Everything that it has printed. */
  output(): string;
  /** Its log so far. */
  lines(): LogLine[];
  /** The first line that fits, as soon as there is one. Rejects after five seconds, and when the process ends without it. */
  line(fits: (line: LogLine) => boolean): Promise<LogLine>;
  kill(signal: NodeJS.Signals): void;
  exited: Promise<Ended>;
  /** Asks it to end. */
  stop(): Promise<Ended>;
}

export interface ServerOptions {
  runtime: ProcessRuntime;
  /** A `DATABASE_URL`. */
  database: string;
  env?: Record<string, string>;
  /** The folder of a build, to be run in place of the sources. */
  build?: string;
}

const START_MS = 30_000;
const LINE_MS = 5000;
const entry = (name: string) => new URL(`../../src/runtimes/${name}.ts`, import.meta.url).pathname;

/** The command of a runtime, or why there is none here. In CI each has to be there. */
export function commandOf(runtime: ProcessRuntime, build?: string): { command: string[] } | { missing: string } {
  if (runtime === "bun") return { command: [process.execPath, build ? `${build}/server.js` : entry("bun")] };
  const name = `Node ${runtime.slice("node".length)}`;
  const node = nodes.find((known) => known.name === name);
  if (node)
    return {
      command: [node.path, "--disable-warning=ExperimentalWarning", build ? `${build}/server.js` : entry("node")],
    };
  const missing = `${name} is not installed (node_modules/${runtime} is for x64 Linux)`;
  if (process.env.CI === "true") throw new Error(missing);
  return { missing };
}

/** Resolves when it is ready to serve. Rejects with what it printed when it ends before. */
export async function startServer({ runtime, database, env = {}, build }: ServerOptions): Promise<Server> {
  const found = commandOf(runtime, build);
  if ("missing" in found) throw new Error(found.missing);
  const [command = "", ...args] = found.command;
  const folder = temporaryFolder();
  const child = spawn(command, args, {
    cwd: folder.path,
    env: { PATH: process.env.PATH ?? "", NODE_ENV: "test", PORT: "0", DATABASE_URL: database, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  // However it ends: not every test asks it to.
  const exited = new Promise<Ended>((resolve) =>
    child.on("exit", (code, signal) => {
      folder.remove();
      resolve({ code, signal });
    }),
  );
  const printed = captured(child);
  const whole = async (fits: (line: LogLine) => boolean, ms: number) =>
    printed.line(fits, ms, exited).catch((error: Error) => {
      throw new Error(`${runtime} on ${database.replace(/:.*/s, "")}: ${error.message}\n${printed.output()}`);
    });
  const stop = () => {
    child.kill("SIGTERM");
    return exited;
  };
  const ready = await whole((line) => line.msg === "ready", START_MS).catch(async (error) => {
    child.kill("SIGKILL");
    await exited;
    throw error;
  });
  return {
    url: String(ready.url),
    pid: child.pid as number,
    output: printed.output,
    lines: printed.lines,
    line: (fits) => whole(fits, LINE_MS),
    kill: (signal) => void child.kill(signal),
    exited,
    stop,
  };
}

function captured(child: ChildProcess) {
  let text = "";
  let rest = "";
  const lines: LogLine[] = [];
  const waiting = new Set<() => void>();
  const look = () => {
    for (const check of [...waiting]) check();
  };
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    const parts = (rest + chunk).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) if (part.startsWith("{")) lines.push(JSON.parse(part));
    look();
  });
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });

  return {
    output: () => text,
    lines: () => lines,
    line(fits: (line: LogLine) => boolean, ms: number, exited: Promise<unknown>): Promise<LogLine> {
      return new Promise((resolve, reject) => {
        let seen = 0;
        const end = (act: () => void) => {
          clearTimeout(timer);
          waiting.delete(check);
          act();
        };
        const check = () => {
          for (; seen < lines.length; seen++) {
            const line = lines[seen] as LogLine;
            if (fits(line)) return end(() => resolve(line));
          }
        };
        const timer = setTimeout(() => end(() => reject(new Error(`no such line within ${ms} ms`))), ms);
        waiting.add(check);
        // What was written before the end arrives before the stream's end, and that may come after the exit.
        void exited
          .then(
            () => new Promise((done) => (child.stdout?.readableEnded ? done(null) : child.stdout?.once("end", done))),
          )
          .then(() => end(() => reject(new Error("the process ended"))));
        check();
      });
    },
  };
}
