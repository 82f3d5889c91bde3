/** How many jobs of each type one process holds, and so how many more it may claim. */
import type { Slot } from "./claiming.ts";
import type { JobHandler, JobType } from "./define.ts";
import type { Prefetch } from "./prefetch.ts";

interface CapacityOptions {
  handlers: ReadonlyMap<string, JobHandler>;
  concurrency: number;
  prefetch: Prefetch;
}

export function createCapacity({ handlers, concurrency, prefetch }: CapacityOptions) {
  /** By name: those that are held, whether they run or not, and those that run. */
  const held = new Map<string, number>();
  const running = new Map<string, number>();
  let all = 0;
  /** How many were held ahead of what could start at most, when it was last asked what may be claimed. */
  let extra = 0;

  const add = (map: Map<string, number>, name: string, by: number) => map.set(name, (map.get(name) ?? 0) + by);
  const heldOf = (name: string) => held.get(name) ?? 0;

  /** Places that those of types that take long do not keep. */
  function quickPlaces(): number {
    let left = concurrency;
    for (const name of handlers.keys()) if (prefetch.isLong(name)) left -= heldOf(name);
    return Math.max(0, left);
  }

  return {
    hold(name: string): void {
      all++;
      add(held, name, 1);
    },
    release(name: string): void {
      all--;
      add(held, name, -1);
    },
    began: (name: string): void => void add(running, name, 1),
    ended: (name: string): void => void add(running, name, -1),
    all: (): number => all,
    /** Whether one more of this type may run. */
    fits: ({ name, concurrency: own }: JobType): boolean => own === undefined || (running.get(name) ?? 0) < own,
    /** Whether one more could be held, of whatever type. */
    hasRoom: (): boolean =>
      all < concurrency &&
      [...handlers.values()].every(({ type }) => heldOf(type.name) < (type.concurrency ?? concurrency)),
    /** Whether half of what is held ahead has begun, when so many have not. */
    isLow: (waiting: number): boolean => waiting <= extra / 2,
    /** What may be claimed of each type and in all, with a few ahead of what can start. */
    room(): { slots: Slot[]; total: number } {
      const slots: Slot[] = [];
      const quick = quickPlaces();
      extra = 0;
      for (const { type } of handlers.values()) {
        const own = Math.min(type.concurrency ?? concurrency, concurrency);
        // One that may be tried only once is not taken before it can start: should this process die, it would never have run.
        const spare = type.retry.attempts > 1 && !type.group ? prefetch.most(type.name, Math.min(own, quick)) : 0;
        const free = Math.min(own - heldOf(type.name), quick) + spare;
        extra = Math.max(extra, spare);
        if (free <= 0) continue;
        const perGroup = type.group?.concurrency ?? null;
        slots.push({ name: type.name, queue: type.queue, version: type.version, free, perGroup });
      }
      return { slots, total: concurrency + extra - all };
    },
  };
}
