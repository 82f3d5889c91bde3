/**
 * The log of Bun and Node, written in the background by pino's destination: it buffers, tries again when a pipe is full, lives through a
 * closed one, and writes what is left when the process ends.
 */
import { writeSync } from "node:fs";
import process from "node:process";
import type { pino } from "pino";
import { type Clock, systemClock } from "../../core/clock.ts";
import { createLog } from "./base.ts";
import type { Log, LogThreshold } from "./port.ts";

type Destination = ReturnType<typeof pino.destination>;

interface PinoOptions {
  level: LogThreshold;
  clock?: Clock;
  /** File descriptor; 1, standard output, if absent. */
  to?: number;
}

/** About 16 KB are written at once, or what there is each half second. pino writes at most 16 KiB at once. */
const MIN_LENGTH = 16_000;
const FLUSH_MS = 500;
/** pino takes 30 to 45 ms to load on Bun, which are spent when the server answers already; lines are held until then. */
const OPEN_MS = 200;
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
  let out: Destination | null = null;
  let opening: Promise<Destination> | null = null;
  /** Lines of this turn of the event loop, which are encoded and handed over together: a line then costs 1 µs instead of 2.5. */
  let held = "";
  let taken = 0;
  let written = 0;

  const load = async () => {
    const { pino } = await import("pino");
    out = pino.destination(settings);
    out.on("write", (bytes: number) => {
      written += bytes;
    });
    handOver();
    return out;
  };
  const open = () => {
    opening ??= load();
    return opening;
  };

  function handOver() {
    if (held === "" || !out) return;
    const bytes = Buffer.from(held);
    held = "";
    taken += bytes.length;
    (out.write as unknown as (bytes: Uint8Array) => boolean)(bytes);
  }

  // Registered before pino's own listener, which writes at the end of the process what it was given.
  process.on("exit", () => {
    if (out) handOver();
    else writeAll(to, Buffer.from(held));
  });

  return createLog({
    threshold: level,
    clock,
    write(line) {
      if (held === "") {
        if (out) setImmediate(handOver);
        else setTimeout(open, OPEN_MS);
      }
      held += `${line}\n`;
    },
    // The destination's own flush returns when the write at hand has ended, with what came since still held. When nothing more gets out
    // there is nowhere left to say so.
    async flush() {
      const destination = await open();
      handOver();
      const until = taken;
      for (let before = -1; written < until && written > before; ) {
        before = written;
        await new Promise<void>((resolve) => destination.flush(() => resolve()));
      }
    },
  });
}

/** At the very end, when nothing asynchronous runs any more. A pipe that is full is tried again for a second. */
function writeAll(to: number, bytes: Buffer): void {
  const until = Date.now() + 1000;
  for (let at = 0; at < bytes.length && Date.now() < until; ) {
    try {
      at += writeSync(to, bytes, at);
    } catch (error) {
      if ((error as { code?: string }).code !== "EAGAIN") return;
    }
  }
}
