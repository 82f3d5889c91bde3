/** The cache that everybody uses, over memory, a store, or both. What it promises stands in port.ts. */
import type { Clock } from "../../core/clock.ts";
import { withTimeout } from "../../core/timeout.ts";
import type { Bus } from "../bus/port.ts";
import type { Log } from "../log/port.ts";
import { bypassing } from "./bypass.ts";
import { bounded } from "./entry.ts";
import { createFlights } from "./flights.ts";
import { createLoader } from "./load.ts";
import { createMemory } from "./memory.ts";
import { createCounting } from "./metrics.ts";
import type { Cache, CacheStore, Outcome, RememberOptions } from "./port.ts";
import { createShelf } from "./shelf.ts";
import { createTags } from "./tags.ts";

export interface CacheOptions {
  /** What this process keeps itself; null: nothing. */
  memory: { maxEntries: number; maxBytes: number } | null;
  /** What is kept beyond it; null: nothing. */
  store: CacheStore | null;
  /** How long the store may take for one command, in milliseconds. Default: 250. */
  storeTimeoutMs?: number;
  bus: Bus;
  clock: Clock;
  log: Log;
  /**
   * Whether a promise of one caller may be awaited by another. Not on Workers, where it belongs to a request and may end with it: there each
   * caller loads for itself.
   */
  sharesWork?: boolean;
  /** Takes what goes on after a caller was answered. */
  background?: (work: Promise<unknown>) => void;
  random?: () => number;
}

const TOPIC = "cache";
/** A load in the background may never end; the end of a process is not to wait for it. */
const CLOSE_MS = 2_000;
const none: readonly string[] = [];

export function createCache(options: CacheOptions): Cache {
  const { bus, clock, log, sharesWork = true, storeTimeoutMs: timeoutMs = 250, random = Math.random } = options;
  const counting = createCounting(log);
  const count = (type: Outcome, full: string) => {
    const colon = full.indexOf(":");
    counting.count(full.slice(0, colon), type, full.slice(colon + 1));
  };
  const pending = new Set<Promise<unknown>>();
  const background = options.background ?? track;
  const retries = sharesWork;
  const store = options.store && bypassing(options.store, { clock, log, timeoutMs, retries, background, onLate });
  const memory = options.memory && createMemory({ ...options.memory, onEvicted: (key) => count("eviction", key) });
  const tags = createTags({ store, clock, maxEntries: options.memory?.maxEntries ?? 0 });
  const shelf = createShelf({ clock, memory, store, tags });
  const loader = createLoader({ clock, random, store, shelf, tags, count });
  const flights = createFlights({ clock, log, shelf, loader, background });

  function track(work: Promise<unknown>) {
    pending.add(work);
    void work.finally(() => pending.delete(work));
  }

  const voidKey = (key: string) => flights.void((work) => work.key === key);
  const voidTag = (tag: string) => flights.void((work) => work.tags.includes(tag));

  // A message is `<from> k <key>`, `<from> t <tag>`.
  const self = crypto.randomUUID().slice(0, 8);
  const unsubscribe = bus.subscribe(TOPIC, {
    message(text) {
      const [, from, kind, name = ""] = /^(\S+) ([kt]) (.*)$/s.exec(text) ?? [];
      if (from === self) return;
      if (kind === "k") {
        voidKey(name);
        memory?.delete(name);
      } else if (kind === "t") {
        voidTag(name);
        tags.forget(name);
      }
    },
    missed() {
      flights.void(() => true);
      tags.forgetAll();
      memory?.clear();
    },
  });
  const tell = (kind: "k" | "t", name: string) => bus.publish(TOPIC, `${self} ${kind} ${name}`);

  /** The others were told at once, and may have read again what was still there. The store's keys are `e:<key>` and `t:<tag>`. */
  function onLate(keys: readonly string[]) {
    for (const key of keys) tell(key.startsWith("t:") ? "t" : "k", key.slice(2));
  }

  function space(name: string): Cache {
    const counts = counting.of(name);
    const prefix = `${name}:`;
    const fullOf = (key: string) => (key.length < 300 && key.isWellFormed() ? prefix + key : bounded(prefix + key));

    async function slowly<T>(full: string, load: () => T, options: RememberOptions): Promise<never> {
      const latest = flights.of(full);
      if (latest?.meanwhile && clock.now() < latest.meanwhile.staleUntil) {
        count("stale", full);
        return latest.meanwhile.value as never;
      }
      const named = { ...options, tags: (options.tags ?? none).map(bounded) };
      const flight = (sharesWork && latest) || flights.start(full, load, named);
      try {
        const { value, outcome } = await flight.answer;
        count(outcome, full);
        return value as never;
      } catch (error) {
        count(flight.bypassed ? "bypass" : "miss", full);
        throw error;
      }
    }

    /** What memory can answer as it is: about 0.1 µs, with nothing awaited. */
    function atOnce(full: string): Promise<never> | null {
      const kept = memory?.get(full);
      if (!kept || clock.now() >= kept.until) return null;
      if (kept.tagState !== tags.state && kept.entry.tags.length > 0) return null;
      if (counting.told()) count("hit", full);
      else counts.hit++;
      return kept.answer;
    }

    return {
      remember(key, load, options) {
        const full = fullOf(key);
        return atOnce(full) ?? slowly(full, load, options);
      },

      async get(key) {
        const full = fullOf(key);
        const kept = atOnce(full);
        if (kept) return kept;
        const { entry, bypassed } = await flights.find(full);
        const current = entry !== null && clock.now() < entry.freshUntil;
        count(bypassed ? "bypass" : current ? "hit" : "miss", full);
        return (current ? entry?.value : undefined) as never;
      },

      async set(key, value, lifetime) {
        const full = fullOf(key);
        const made = await loader.made(full, value, { ...lifetime, tags: lifetime.tags?.map(bounded) ?? none });
        voidKey(full);
        count("set", full);
        // The value that was there before is outdated, also where the new one cannot be kept.
        if (made.kept) await shelf.put(full, made.kept);
        else await shelf.remove(full);
        voidKey(full);
        tell("k", full);
        return made.value as never;
      },

      async delete(key) {
        const full = fullOf(key);
        count("delete", full);
        voidKey(full);
        await shelf.remove(full);
        voidKey(full);
        tell("k", full);
      },

      async invalidateTag(tag) {
        const name = bounded(tag);
        counting.count(prefix.slice(0, -1), "invalidate", tag);
        voidTag(name);
        await tags.invalidate(name);
        voidTag(name);
        tell("t", name);
      },

      namespace(inner) {
        if (!/^[\w.-]{1,60}$/.test(inner)) throw new RangeError("a namespace is 1 to 60 letters, digits, _ . or -");
        return space(name === "" ? inner : `${name}.${inner}`);
      },

      metrics: () => ({ namespaces: counting.all(), memory: memory?.size() ?? null }),
      on: counting.on,
      async close() {
        unsubscribe();
        await withTimeout(Promise.allSettled(pending), CLOSE_MS).catch(() => {});
        memory?.clear();
        await store?.close();
      },
    };
  }

  return space("");
}
