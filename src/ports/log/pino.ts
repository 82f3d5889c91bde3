/**
 * The log of Bun and Node, written in the background by pino's destination: it buffers, tries again when a pipe is full, lives through a
 * closed one, and writes what is left when the process ends.
 */
import process from "node:process";
import { pino } from "pino";
import { type Clock, systemClock } from "../../core/clock.ts";
import { createLog } from "./base.ts";
import type { Log, LogThreshold } from "./port.ts";

interface PinoOptions {
  level: LogThreshold;
  clock?: Clock;
  /** File descriptor; 1, standard output, if absent. */
  to?: number;
}

/** About 16 KB are written at once, or what there is each half second. pino writes at most 16 KiB at once. */
const MIN_LENGTH = 16_000;
const FLUSH_MS = 500;
/** What is held when nobody reads the output any more; lines beyond it are dropped. */
const MAX_LENGTH = 8 * 1024 * 1024;

export function createPinoLog({ level, clock = systemClock, to = 1 }: PinoOptions): Log {
  const settings = {
    dest: to,
    sync: false,
    minLength: MIN_LENGTH,
    maxLength: MAX_LENGTH,
    periodicFlush: FLUSH_MS,
    // Handed over as bytes, lines are not joined, measured and encoded a second time.
    contentMode: "buffer",
  };
  // Registered before pino's own listener, which writes at the end of the process what it was given.
  process.on("exit", handOver);
  const out = pino.destination(settings);
  const add = out.write.bind(out) as unknown as (bytes: Uint8Array) => boolean;
  /** Lines of this turn of the event loop, which are encoded and handed over together: a line then costs 1 µs instead of 2.5. */
  let held = "";
  let taken = 0;
  let written = 0;
  out.on("write", (bytes: number) => {
    written += bytes;
  });

  function handOver() {
    if (held === "") return;
    const bytes = Buffer.from(held);
    held = "";
    taken += bytes.length;
    add(bytes);
  }

  return createLog({
    threshold: level,
    clock,
    write(line) {
      if (held === "") setImmediate(handOver);
      held += `${line}\n`;
    },
    // The destination's own flush returns when the write at hand has ended, with what came since still held. When nothing more gets out
    // there is nowhere left to say so.
    async flush() {
      handOver();
      const until = taken;
      for (let before = -1; written < until && written > before; ) {
        before = written;
        await new Promise<void>((resolve) => out.flush(() => resolve()));
      }
    },
  });
}
