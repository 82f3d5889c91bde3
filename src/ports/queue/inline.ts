/** For tests of what enqueues: each job runs in this process as soon as its commit is known, and `settled` says when all have. */
import type { Db } from "../db/port.ts";
import type { Dispatch } from "./port.ts";
import type { Worker } from "./worker.ts";

export const inlineDispatch: Dispatch = { name: "inline", carrier: null };

export interface Inline {
  /** When every job that is due has ended, those included that were enqueued by jobs. Rejects with the fault that kept them from running. */
  settled(): Promise<void>;
  /** Runs no more. The worker is still to be stopped. */
  stop(): void;
}

export function runInline(db: Db, worker: Worker): Inline {
  let last: Promise<void> = Promise.resolve();
  const stop = db.committed((tables) => {
    if (!tables.includes("jobs")) return;
    last = last.then(async () => {
      while ((await worker.runOnce()) > 0);
    });
    last.catch(() => {});
  });
  return {
    async settled() {
      for (let seen: Promise<void> | null = null; seen !== last; ) {
        seen = last;
        await seen;
      }
    },
    stop,
  };
}
