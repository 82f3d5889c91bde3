import type { Log } from "../log/port.ts";
import { type CacheEvent, type Counts, type Outcome, outcomes } from "./port.ts";

/** What happened, counted by namespace and told to listeners. */
export interface Counting {
  /** The counts of a namespace: the very object that grows, for those who count often and tell nobody. */
  of(namespace: string): Counts;
  count(namespace: string, type: Outcome, key: string): void;
  /** Whether anybody listens. */
  told(): boolean;
  on(listener: (event: CacheEvent) => void): () => void;
  all(): Record<string, Counts>;
}

export function createCounting(log: Log): Counting {
  const counts = new Map<string, Counts>();
  const listeners = new Set<(event: CacheEvent) => void>();

  function of(namespace: string): Counts {
    let found = counts.get(namespace);
    if (!found) {
      found = Object.fromEntries(outcomes.map((type) => [type, 0])) as Counts;
      counts.set(namespace, found);
    }
    return found;
  }

  return {
    of,
    count(namespace, type, key) {
      of(namespace)[type]++;
      for (const listener of listeners) {
        try {
          listener({ type, namespace, key });
        } catch (err) {
          log.error({ err }, "a listener of the cache failed");
        }
      }
    },
    told: () => listeners.size > 0,
    on(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    all: () => Object.fromEntries([...counts].map(([name, own]) => [name, { ...own }])),
  };
}
