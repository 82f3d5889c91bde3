/** The log of Workers: the same lines as elsewhere, through `console.log`, which the platform collects. */
import { type Clock, systemClock } from "../../core/clock.ts";
import { createLog } from "./base.ts";
import type { Log, LogThreshold } from "./port.ts";

interface ConsoleOptions {
  level: LogThreshold;
  clock?: Clock;
  /** In place of `console.log`. */
  print?: (line: string) => void;
}

export const createConsoleLog = ({ level, clock = systemClock, print = console.log }: ConsoleOptions): Log =>
  createLog({ threshold: level, clock, write: (line) => print(line), flush: async () => {} });
