/** The memory of one process: entries as they are answered, the one used longest ago given up first, bounded by number and by bytes. */
import type { Entry } from "./entry.ts";

/** An entry in memory, and a link of the list in which they stand in the order of use. */
export interface Kept {
  readonly key: string;
  readonly entry: Entry;
  /** What is answered: a promise is shared rather than made for each call. */
  readonly answer: Promise<never>;
  /** Until when it is answered without a further look, if the tags still have this state. */
  until: number;
  tagState: number;
  newer: Kept | null;
  older: Kept | null;
}

export interface Memory {
  get(key: string): Kept | undefined;
  put(key: string, entry: Entry, until: number, tagState: number): void;
  delete(key: string): void;
  clear(): void;
  size(): { entries: number; bytes: number };
}

export interface MemoryOptions {
  maxEntries: number;
  /** About; see `Entry.bytes`. An entry of more than a tenth is not kept here at all. */
  maxBytes: number;
  onEvicted: (key: string) => void;
}

export function createMemory({ maxEntries, maxBytes, onEvicted }: MemoryOptions): Memory {
  const entries = new Map<string, Kept>();
  let newest: Kept | null = null;
  let oldest: Kept | null = null;
  let bytes = 0;

  function unlink(kept: Kept) {
    if (kept.newer) kept.newer.older = kept.older;
    else newest = kept.older;
    if (kept.older) kept.older.newer = kept.newer;
    else oldest = kept.newer;
  }
  function link(kept: Kept) {
    kept.newer = null;
    kept.older = newest;
    if (newest) newest.newer = kept;
    else oldest = kept;
    newest = kept;
  }
  function remove(kept: Kept) {
    entries.delete(kept.key);
    unlink(kept);
    bytes -= kept.entry.bytes;
  }

  return {
    get(key) {
      const kept = entries.get(key);
      if (kept !== undefined && kept !== newest) {
        unlink(kept);
        link(kept);
      }
      return kept;
    },
    put(key, entry, until, tagState) {
      const before = entries.get(key);
      if (before) remove(before);
      if (entry.bytes > maxBytes / 10) return onEvicted(key);
      const answer = Promise.resolve(entry.value) as Promise<never>;
      const kept: Kept = { key, entry, answer, until, tagState, newer: null, older: null };
      entries.set(key, kept);
      link(kept);
      bytes += entry.bytes;
      while (oldest && (entries.size > maxEntries || bytes > maxBytes)) {
        onEvicted(oldest.key);
        remove(oldest);
      }
    },
    delete(key) {
      const kept = entries.get(key);
      if (kept) remove(kept);
    },
    clear() {
      entries.clear();
      newest = null;
      oldest = null;
      bytes = 0;
    },
    size: () => ({ entries: entries.size, bytes }),
  };
}
