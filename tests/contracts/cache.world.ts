/** What the cases of the cache contract are written in. The clock stands still unless a case moves it. */
import type { Cache } from "../../src/ports/cache/port.ts";
import type { MovingClock } from "./limits.ts";

export interface CacheCase {
  name: string;
  /** Only where a promise of one caller may be awaited by another. */
  sharesWork?: true;
  run(cache: Cache, clock: MovingClock): Promise<void>;
}

let serial = 0;
/** A name that no other case uses, nor another run on the same store. */
export const newName = () => `case-${process.pid}-${Date.now()}-${serial++}`;

/** A load that ends when it is told to. */
export function gate<T>() {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const begun = Promise.withResolvers<void>();
  let loads = 0;
  const load = () => {
    loads++;
    begun.resolve();
    return promise;
  };
  return { load, begun: begun.promise, resolve, reject, loads: () => loads };
}

/** A source that counts how often it is asked, and fails when it is told to. */
export function source<T>(make: (n: number) => T) {
  const state = { loads: 0, failing: false };
  const load = async (): Promise<T> => {
    state.loads++;
    if (state.failing) throw new Error("the source is down");
    return make(state.loads);
  };
  return Object.assign(load, { state });
}

export const minute = { ttlMs: 60_000 };

/** Waits for what happens in the background. */
export async function until(test: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 5_000; Date.now() < deadline; ) {
    if (await test()) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error("it did not happen within 5 s");
}
