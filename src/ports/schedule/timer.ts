/** Ticks in a process that stays: until the next time that is due, and at least every 30 s. On Workers the cron trigger does it. */
import type { Log } from "../log/port.ts";
import { LOOK_MS, type Scheduler } from "./scheduler.ts";

export interface Timer {
  /** Begins no further tick, and resolves when the one that is under way has ended. */
  stop(): Promise<void>;
}

const MAX_PAUSE_MS = 5_000;
/** Processes that woke at one moment would all decide, and all but one be undone. */
const SPREAD_MS = 250;

export function startTimer(scheduler: Scheduler, log: Log): Timer {
  let stopped = false;
  let failures = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let under: Promise<void> = Promise.resolve();

  async function tick(): Promise<void> {
    let pause = LOOK_MS;
    try {
      pause = (await scheduler.tick()) + Math.random() * SPREAD_MS;
      failures = 0;
    } catch (err) {
      pause = Math.min(MAX_PAUSE_MS, 250 * 2 ** failures);
      // A database that is away is away for each tick.
      if (failures++ === 0) log.warn({ err }, "the schedules could not be looked after");
    }
    if (!stopped) timer = setTimeout(run, pause);
  }
  function run() {
    under = tick();
  }
  run();
  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await under;
    },
  };
}
