/**
 * The log of development: the same lines, made pretty inside this process (a worker thread would not find its file in a bundle). The package
 * is a development dependency, so only who asks for this log loads it.
 */
import { systemClock } from "../../core/clock.ts";
import { createLog, REQUEST } from "./base.ts";
import type { Plain } from "./clean.ts";
import type { Log, LogThreshold } from "./port.ts";
import { printable, printableFields } from "./printable.ts";

interface PrettyOptions {
  level: LogThreshold;
  colour: boolean;
  /** File descriptor, 1 if absent. */
  to?: number;
}

export async function createPrettyLog({ level, colour, to = 1 }: PrettyOptions): Promise<Log> {
  const { default: pretty } = await import("pino-pretty");
  // Written at once: development wants the line before the crash.
  const stream = pretty({
    colorize: colour,
    destination: to,
    sync: true,
    singleLine: true,
    translateTime: "SYS:HH:MM:ss.l",
  });
  return createLog({
    threshold: level,
    clock: systemClock,
    write: (line) => stream.write(`${line}\n`),
    flush: async () => {},
    show,
  });
}

function show(fields: Plain, message: string): [Plain, string] {
  if (message !== REQUEST || typeof fields.status !== "number") return [printableFields(fields), printable(message)];
  // A request's facts read best as a sentence; its ids stay fields, to search for.
  const { method, route, status, ms, traceId: _, ...rest } = printableFields(fields);
  return [rest, `${method} ${route ?? "(no route)"} ${status} in ${ms} ms`];
}
