/** The versions of tags: kept in the store if there is one, and remembered here for a short time. See port.ts for what they are for. */
import type { Clock } from "../../core/clock.ts";
import type { BoundedStore } from "./bypass.ts";
import type { Entry } from "./entry.ts";
import { TRUST_MS } from "./port.ts";

export interface Tags {
  /** Another number whenever a version is no longer believed: what was checked before has to be checked again. */
  readonly state: number;
  /** The versions of the tags now, for a value that is about to be made. Null: they cannot be known, so the value cannot be kept. */
  current(tags: readonly string[]): Promise<readonly string[] | null>;
  /** Whether the entry's versions are current, and how long that may be believed. */
  check(entry: Entry): Promise<{ holds: boolean; until: number }>;
  /** Ends the version of a tag. */
  invalidate(tag: string): Promise<void>;
  /** Somebody else has ended it. */
  forget(tag: string): void;
  /** Changes may have been missed. */
  forgetAll(): void;
}

/** The version stays known beyond its time, for where the store cannot be asked. */
interface Remembered {
  readonly version: string;
  until: number;
}

/** Where nothing but memory keeps versions, an entry ends with the first of its tags that is forgotten: hence more than one for each entry. */
const PER_ENTRY = 2;
const MIN_REMEMBERED = 10_000;

/** A version that ends by age costs its values one more load. */
const KEEP_MS = 30 * 86_400_000;

const ALWAYS = Promise.resolve({ holds: true, until: Number.POSITIVE_INFINITY });
const storeKey = (tag: string) => `t:${tag}`;

interface TagsOptions {
  store: BoundedStore | null;
  clock: Clock;
  /** How many values memory keeps. */
  maxEntries: number;
}

export function createTags({ store, clock, maxEntries }: TagsOptions): Tags {
  /**
   * What was used lately, and what was before that: the older half is given up when the younger one is full. One map in the order of use took
   * 60 µs a tag with 120,000 of them, because whoever looks for the first walks over every place that was left.
   */
  let young = new Map<string, Remembered>();
  let old = new Map<string, Remembered>();
  const half = Math.max(MIN_REMEMBERED, PER_ENTRY * maxEntries);

  function remember(tag: string, known: Remembered) {
    if (young.size >= half && !young.has(tag)) {
      old = young;
      young = new Map();
    }
    young.set(tag, known);
  }

  function recall(tag: string): Remembered | undefined {
    const known = young.get(tag);
    if (known) return known;
    const older = old.get(tag);
    if (older) remember(tag, older);
    return older;
  }

  /** A tag that was not remembered takes no other's place. What is being read meanwhile is not to be believed all the same. */
  function forget(tag: string) {
    tags.state++;
    young.delete(tag);
    old.delete(tag);
  }

  const believed = (tag: string, now: number): Remembered | undefined => {
    const known = recall(tag);
    return known && now < known.until ? known : undefined;
  };

  /** What was read while versions changed is right for whoever asked before the change, and is not believed for longer. */
  const until = (state: number, now: number) => (state === tags.state ? now + TRUST_MS : Number.NEGATIVE_INFINITY);

  async function versionFor(tag: string): Promise<string | null> {
    const now = clock.now();
    const known = believed(tag, now);
    if (known) return known.version;
    const fresh = crypto.randomUUID();
    if (!store) {
      remember(tag, { version: fresh, until: Number.POSITIVE_INFINITY });
      return fresh;
    }
    const { state } = tags;
    const version = await store.add(storeKey(tag), fresh, KEEP_MS);
    if (version === null) return recall(tag)?.version ?? null;
    if (state === tags.state) remember(tag, { version, until: now + TRUST_MS });
    return version;
  }

  const tags: Tags & { state: number } = {
    state: 0,
    async current(names) {
      const versions = await Promise.all(names.map(versionFor));
      return versions.every((version) => version !== null) ? versions : null;
    },

    check(entry) {
      if (entry.tags.length === 0) return ALWAYS;
      return look(entry);
    },

    async invalidate(tag) {
      forget(tag);
      await store?.remove([storeKey(tag)]);
      // Who has asked meanwhile may have been told the old version.
      forget(tag);
    },
    forget,
    forgetAll() {
      tags.state++;
      for (const all of [young, old]) for (const known of all.values()) known.until = Number.NEGATIVE_INFINITY;
    },
  };

  async function look({ tags: names, versions }: Entry): Promise<{ holds: boolean; until: number }> {
    const now = clock.now();
    const unknown = names.filter((name) => !believed(name, now));
    const read = new Map<string, { version: string | null; until: number }>();
    if (store && unknown.length > 0) {
      const { state } = tags;
      const found = await store.read(unknown.map(storeKey));
      for (const [i, name] of unknown.entries()) {
        // Without an answer the last known version counts; of a tag that was never known, none does.
        const known = recall(name);
        if (!found) read.set(name, { version: known?.version ?? null, until: now });
        else read.set(name, { version: found[i] ?? null, until: until(state, now) });
      }
      // That a tag has no version is not believed for long: whoever makes the next one tells nobody.
      if (found && state === tags.state)
        for (const [name, { version, until }] of read) if (version !== null) remember(name, { version, until });
    }
    let end = Number.POSITIVE_INFINITY;
    for (const [i, name] of names.entries()) {
      const known = read.get(name) ?? recall(name);
      if (!known || known.version !== versions[i]) return { holds: false, until: now };
      end = Math.min(end, known.until);
    }
    return { holds: true, until: end };
  }

  return tags;
}
