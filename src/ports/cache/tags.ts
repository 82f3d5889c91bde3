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

/** `version` is null for a tag that has none, and stays so beyond its time where the store cannot be asked. */
interface Remembered {
  version: string | null;
  until: number;
}

const MAX_REMEMBERED = 20_000;

/** A version that ends by age costs its values one more load. */
const KEEP_MS = 30 * 86_400_000;

const ALWAYS = Promise.resolve({ holds: true, until: Number.POSITIVE_INFINITY });
const storeKey = (tag: string) => `t:${tag}`;

export function createTags({ store, clock }: { store: BoundedStore | null; clock: Clock }): Tags {
  const remembered = new Map<string, Remembered>();

  function remember(tag: string, version: string | null, until: number): Remembered {
    remembered.delete(tag);
    if (remembered.size >= MAX_REMEMBERED) for (const oldest of remembered.keys()) if (remembered.delete(oldest)) break;
    const made = { version, until };
    remembered.set(tag, made);
    return made;
  }

  function forget(tag: string) {
    tags.state++;
    remember(tag, null, Number.NEGATIVE_INFINITY);
  }

  const believed = (tag: string, now: number): Remembered | undefined => {
    const known = remembered.get(tag);
    return known && now < known.until ? known : undefined;
  };

  /** What was read while versions changed is right for whoever asked before the change, and is not believed for longer. */
  const until = (state: number, now: number) => (state === tags.state ? now + TRUST_MS : Number.NEGATIVE_INFINITY);

  async function versionFor(tag: string): Promise<string | null> {
    const now = clock.now();
    const known = believed(tag, now);
    if (known?.version) return known.version;
    const fresh = crypto.randomUUID();
    if (!store) return remember(tag, fresh, Number.POSITIVE_INFINITY).version;
    const { state } = tags;
    const version = await store.add(storeKey(tag), fresh, KEEP_MS);
    if (version === null) return remembered.get(tag)?.version ?? null;
    if (state === tags.state) remember(tag, version, now + TRUST_MS);
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
      for (const known of remembered.values()) known.until = Number.NEGATIVE_INFINITY;
    },
  };

  async function look({ tags: names, versions }: Entry): Promise<{ holds: boolean; until: number }> {
    const now = clock.now();
    const unknown = store ? names.filter((name) => !believed(name, now)) : [];
    const read = new Map<string, Remembered>();
    if (store && unknown.length > 0) {
      const { state } = tags;
      const found = await store.read(unknown.map(storeKey));
      for (const [i, name] of unknown.entries()) {
        // Without an answer the last known version counts; of a tag that was never known, none does.
        const known = remembered.get(name);
        if (!found) read.set(name, { version: known?.version ?? null, until: now });
        else read.set(name, { version: found[i] ?? null, until: until(state, now) });
      }
      // That a tag has no version is not believed for long: whoever makes the next one tells nobody.
      if (found && state === tags.state)
        for (const [name, known] of read) if (known.version) remember(name, known.version, known.until);
    }
    let end = Number.POSITIVE_INFINITY;
    for (const [i, name] of names.entries()) {
      const known = read.get(name) ?? remembered.get(name);
      if (!known || known.version !== versions[i]) return { holds: false, until: now };
      end = Math.min(end, known.until);
    }
    return { holds: true, until: end };
  }

  return tags;
}
