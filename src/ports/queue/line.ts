/** Jobs that were claimed and have not begun, in the order in which they will. One whose type is at its own bound steps aside until it fits. */
import type { JobHandler } from "./define.ts";
import type { ClaimedJob } from "./port.ts";

export interface Entry {
  job: ClaimedJob;
  workerId: string;
  /** How many had been taken by then. */
  nth: number;
  /** When it was taken, by `performance.now()`. */
  at: number;
  handler: JobHandler;
}

export function createLine(fits: (handler: JobHandler) => boolean) {
  let ready: Entry[] = [];
  let first = 0;
  const parked = new Map<string, Entry[]>();
  /** Those that were parked, and may go on. */
  const resumed: Entry[] = [];

  return {
    size(): number {
      let n = ready.length - first + resumed.length;
      for (const list of parked.values()) n += list.length;
      return n;
    },
    has: (id: string): boolean =>
      ready.some(({ job }, i) => i >= first && job.id === id) ||
      resumed.some(({ job }) => job.id === id) ||
      [...parked.values()].some((list) => list.some(({ job }) => job.id === id)),
    add(entry: Entry): void {
      ready.push(entry);
    },
    /** The next one that may begin. */
    next(): Entry | undefined {
      while (resumed.length > 0 || first < ready.length) {
        const entry = resumed.shift() ?? (ready[first++] as Entry);
        if (first > 1000) {
          ready = ready.slice(first);
          first = 0;
        }
        if (fits(entry.handler)) return entry;
        const list = parked.get(entry.job.name);
        if (list) list.push(entry);
        else parked.set(entry.job.name, [entry]);
      }
      return undefined;
    },
    /** One of this name has ended. */
    unpark(name: string): void {
      const list = parked.get(name);
      if (!list) return;
      const entry = list.shift();
      if (list.length === 0) parked.delete(name);
      if (entry) resumed.push(entry);
    },
    /** Takes these out, and answers them. */
    without(which: (entry: Entry) => boolean): Entry[] {
      const out: Entry[] = [];
      const keep = (entry: Entry) => {
        if (which(entry)) out.push(entry);
        else return true;
        return false;
      };
      ready = [...resumed.splice(0), ...ready.slice(first)].filter(keep);
      first = 0;
      for (const [name, list] of parked) {
        const kept = list.filter(keep);
        if (kept.length > 0) parked.set(name, kept);
        else parked.delete(name);
      }
      return out;
    },
  };
}
