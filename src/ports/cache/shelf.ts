/** Where entries lie: in memory, in a store, or in memory before a store. It finds, keeps and removes them, and bears a store that is away. */
import type { Clock } from "../../core/clock.ts";
import type { BoundedStore } from "./bypass.ts";
import { decode, type Entry, encode } from "./entry.ts";
import type { Memory } from "./memory.ts";
import { TRUST_MS } from "./port.ts";
import type { Tags } from "./tags.ts";

/** Something under way that may end in keeping an entry. It is voided when the key or one of the tags changes meanwhile. */
export interface Work {
  readonly key: string;
  readonly tags: readonly string[];
  readonly began: number;
  voided: boolean;
  /** An entry was found, which a load is to replace. */
  replaces: boolean;
  /** Ends the lease that the work has: nobody is to wait for what will not be kept. */
  release: (() => void) | null;
  /** The store had to be asked, and did not answer. */
  bypassed: boolean;
}

export interface Shelf {
  /** The entry of the work's key that is kept and not invalidated; it may be stale. */
  find(work: Work): Promise<Entry | null>;
  /** The entry in a text that was just read from the store, if it is current. */
  current(work: Work, text: string | null): Promise<Entry | null>;
  /** Keeps what a load has made. True: the lease was used up by it. */
  fill(work: Work, made: Made, lease: string | null): Promise<boolean>;
  /** Removes what a load has replaced by a value that is not kept. True: the lease was used up by it. */
  clear(work: Work, lease: string | null): Promise<boolean>;
  /** Keeps what a caller has set. */
  put(key: string, made: Made): Promise<void>;
  remove(key: string): Promise<void>;
}

export interface Made {
  entry: Entry;
  json: string;
  /** That of the tags before their versions were asked for. */
  tagState: number;
}

interface ShelfOptions {
  clock: Clock;
  memory: Memory | null;
  store: BoundedStore | null;
  tags: Tags;
}

/** While the store is away, memory is believed for this long at a time, and then the store is tried again. */
const AWAY_MS = 1_000;

export const storeKey = (key: string) => `e:${key}`;

export function createShelf({ clock, memory, store, tags }: ShelfOptions): Shelf {
  /** Puts an entry into memory if it still holds, as far as that may be believed. */
  async function checked(work: Work, entry: Entry, trustMs: number): Promise<Entry | null> {
    const tagState = tags.state;
    const now = clock.now();
    const { holds, until } = await tags.check(entry);
    if (!holds || now >= entry.keptUntil) {
      memory?.delete(work.key);
      return null;
    }
    work.replaces = true;
    if (!work.voided) memory?.put(work.key, entry, Math.min(entry.freshUntil, until, now + trustMs), tagState);
    return entry;
  }

  return {
    async find(work) {
      const kept = memory?.get(work.key);
      if (!store) return kept ? checked(work, kept.entry, Number.POSITIVE_INFINITY) : null;
      // Only the tags' state is another one: the entry itself need not be read again.
      if (kept && clock.now() < kept.until) {
        const held = await checked(work, kept.entry, kept.until - clock.now());
        if (held) return held;
      }
      const texts = await store.read([storeKey(work.key)]);
      work.bypassed = texts === null;
      const entry = texts ? decode(texts[0] ?? null) : (kept?.entry ?? null);
      if (entry) return checked(work, entry, texts ? TRUST_MS : AWAY_MS);
      memory?.delete(work.key);
      return null;
    },

    async current(work, text) {
      const entry = decode(text);
      if (!entry || clock.now() >= entry.freshUntil) return null;
      return checked(work, entry, TRUST_MS);
    },

    async fill(work, { entry, json, tagState }, lease) {
      const keepMs = entry.keptUntil - clock.now();
      if (work.voided || keepMs <= 0) return false;
      let filled: boolean | null = null;
      if (!store?.leases) await store?.writeLoaded(storeKey(work.key), encode(json, entry), keepMs);
      else if (lease) filled = await store.leases.fill(storeKey(work.key), lease, encode(json, entry), keepMs);
      if (filled !== false && !work.voided) memory?.put(work.key, entry, trusted(entry), tagState);
      return filled === true;
    },

    async clear(work, lease) {
      if (work.voided) return false;
      let cleared: boolean | null = null;
      if (store?.leases) cleared = lease === null ? null : await store.leases.clear(storeKey(work.key), lease);
      else if (work.replaces) await store?.remove([storeKey(work.key)]);
      if (cleared !== false && !work.voided) memory?.delete(work.key);
      return cleared === true;
    },

    async put(key, { entry, json, tagState }) {
      await store?.write(storeKey(key), encode(json, entry), entry.keptUntil - clock.now());
      memory?.put(key, entry, trusted(entry), tagState);
    },

    async remove(key) {
      memory?.delete(key);
      await store?.remove([storeKey(key)]);
      memory?.delete(key);
    },
  };

  function trusted(entry: Entry): number {
    return store ? Math.min(entry.freshUntil, clock.now() + TRUST_MS) : entry.freshUntil;
  }
}
