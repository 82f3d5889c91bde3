import type { Clock } from "../../core/clock.ts";

/** A bounded memory of values that expire. When it is full, the oldest entries go first. */
export interface Recent<V> {
  get(key: string): V | undefined;
  set(key: string, value: V, expiresAt: number): void;
  delete(key: string): void;
  forget(test: (value: V) => boolean): void;
  /** Lets go of what has expired. Without it that is kept until it is asked for. */
  sweep(): void;
  /** Changes with each `delete` and `forget`, whether or not there was anything to forget. */
  generation(): number;
}

export function recent<V>(max: number, clock: Clock): Recent<V> {
  const entries = new Map<string, { value: V; expiresAt: number }>();
  let generation = 0;
  return {
    get(key) {
      const entry = entries.get(key);
      if (!entry) return undefined;
      if (entry.expiresAt > clock.now()) return entry.value;
      entries.delete(key);
      return undefined;
    },
    set(key, value, expiresAt) {
      // Deleted first, so that the order of the map is the order of setting.
      entries.delete(key);
      if (entries.size >= max)
        for (const oldest of entries.keys()) if (entries.delete(oldest) && entries.size < max * 0.9) break;
      entries.set(key, { value, expiresAt });
    },
    delete(key) {
      generation++;
      entries.delete(key);
    },
    forget(test) {
      generation++;
      for (const [key, { value }] of entries) if (test(value)) entries.delete(key);
    },
    sweep() {
      const now = clock.now();
      for (const [key, { expiresAt }] of entries) if (expiresAt <= now) entries.delete(key);
    },
    generation: () => generation,
  };
}
