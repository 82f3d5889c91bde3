import process from "node:process";
import type { Env } from "../env.ts";
import type { Log } from "../ports/log/port.ts";

/** Loads the one that is used: the pretty log's package is not there in production. */
export async function openLog({ log: { level, format } }: Env): Promise<Log> {
  if (format === "pretty") {
    const { createPrettyLog } = await import("../ports/log/pretty.ts");
    return createPrettyLog({ level, colour: process.stdout.isTTY === true && !process.env.NO_COLOR });
  }
  const { createPinoLog } = await import("../ports/log/pino.ts");
  return createPinoLog({ level });
}
