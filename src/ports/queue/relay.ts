/**
 * From the record to a carrier: the transactional outbox. Whatever is lost on the way is sent again.
 *
 * **Order.** One process hands over in order of commit, within a name and a priority: a job whose commit was over before another one was
 * made has the lesser id, and is seen by every look that sees the other one. Processes that relay at the same time each take what the others
 * have not, so one may overtake another by a batch. Workers run several jobs at once, so where order matters it is a matter of groups.
 */
import { addMs, type Clock, toInstant } from "../../core/clock.ts";
import type { Log } from "../log/port.ts";
import type { JobType } from "./define.ts";
import type { Carrier } from "./port.ts";
import type { JobStore } from "./store.ts";

interface RelayOptions {
  store: JobStore;
  carrier: Carrier;
  clock: Clock;
  log: Log;
  /** Those among them that are carried. */
  types: readonly JobType[];
}

/** Of one type at once. */
const BATCH = 500;
/** Of one type a carrier is given only those that are first in the record. */
const WINDOW = 5000;
/** After how long one is sent again that came to a worker which may not run it. */
const AGAIN_MS = 2000;
const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 5000;

/**
 * Where the type says how many run at once or how often, what may run depends on what does, which the record alone knows: workers claim these
 * themselves. Carried, they would hold up places of workers that others could use, or travel to and fro.
 */
export const isCarried = (type: JobType): boolean => type.concurrency === undefined && type.group === undefined;

export function createRelay({ store, carrier, clock, log, ...options }: RelayOptions) {
  const types = options.types.filter(isCarried);
  let last: Promise<number> = Promise.resolve(0);
  /** Since some were last sent, and until when nothing is tried. */
  let failures = 0;
  let restsUntil = 0;

  async function send(): Promise<number> {
    let sent = 0;
    for (;;) {
      const now = toInstant(clock.now());
      const due = await store.takeUnsent(types, {
        now,
        before: addMs(now, -carrier.resendMs),
        limit: BATCH,
        window: WINDOW,
      });
      if (due.length === 0) return sent;
      try {
        await carrier.send(due);
      } catch (error) {
        await store.unsend(
          due.map(({ id }) => id),
          null,
        );
        throw error;
      }
      sent += due.length;
      if (due.length < BATCH) return sent;
    }
  }

  /** Sends all that is due and fits into the window, one batch after the other, so that the order is kept; how many. Calls queue up. */
  function runOnce(): Promise<number> {
    last = last.catch(() => 0).then(send);
    return last;
  }

  return {
    types,
    runOnce,
    /** For those who come again: what cannot be sent is told once, tried again with growing pauses, and holds up nothing else. */
    async handOver(): Promise<number> {
      if (performance.now() < restsUntil) return 0;
      try {
        const sent = await runOnce();
        if (sent === 0) return 0;
        if (failures > 0) log.info({}, "due jobs are handed over again");
        failures = 0;
        return sent;
      } catch (err) {
        restsUntil = performance.now() + Math.min(FIRST_PAUSE_MS * 2 ** failures, LAST_PAUSE_MS);
        if (failures++ === 0) log.warn({ err }, "due jobs are not handed over: they wait in the database");
        return 0;
      }
    },
    /** Sends again, a little later, those of them that still wait. */
    again: (ids: readonly string[]): Promise<void> =>
      store.unsend(ids, addMs(toInstant(clock.now()), AGAIN_MS - carrier.resendMs)),
  };
}
