/** How workers learn at once that jobs may be due: of commits of their own process, and by the bus of those of others. */
import type { Bus } from "../bus/port.ts";
import type { Db } from "../db/port.ts";
import { cancelledId, JOBS_TOPIC, WAKE } from "./port.ts";
import type { createRelay } from "./relay.ts";
import type { Worker } from "./worker.ts";

interface WakeOptions {
  db: Db;
  bus: Bus;
  /** Null where this process runs no jobs. */
  worker: Worker | null;
  /** Where this process runs none, and a carrier brings them to those that do. */
  relay: Pick<ReturnType<typeof createRelay>, "handOver"> | null;
}

/** However much is committed, others are woken once in this time. */
const QUIET_MS = 5;

export function connect({ db, bus, worker, relay }: WakeOptions) {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let again = false;

  function others() {
    if (timer !== null) {
      again = true;
      return;
    }
    bus.publish(JOBS_TOPIC, WAKE);
    keepQuiet();
  }

  function keepQuiet() {
    timer = setTimeout(() => {
      timer = null;
      if (!again) return;
      again = false;
      others();
    }, QUIET_MS);
  }

  // The first commit after a while wakes them itself. More of them at once would wait for each other's flush.
  const endNotices = db.notices((tables) => {
    if (timer !== null || !tables.includes("jobs") || worker?.hasRoom()) return null;
    const notice = bus.notice(JOBS_TOPIC, WAKE);
    if (notice) keepQuiet();
    return notice;
  });
  const unlisten = db.committed((tables, noticed) => {
    if (!tables.includes("jobs")) return;
    void relay?.handOver();
    worker?.wake();
    // What this worker takes itself needs nobody else; it calls for others when there is more than it can take.
    if (!noticed && !worker?.hasRoom()) others();
  });
  const unsubscribe = bus.subscribe(JOBS_TOPIC, {
    message(text) {
      if (text === WAKE) return worker?.wake();
      const id = cancelledId(text);
      if (id !== null) worker?.cancelled(id);
    },
    missed: () => worker?.wake(),
  });

  return {
    /** Wakes the workers of other processes. */
    others,
    close(): void {
      endNotices();
      unlisten();
      unsubscribe();
      if (timer !== null) clearTimeout(timer);
    },
  };
}
