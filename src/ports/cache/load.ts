/** Makes the value of a key once: takes the lease that all instances share, or waits for whoever has it; loads; keeps. */
import { type Clock, isWithin } from "../../core/clock.ts";
import { pause } from "../../core/timeout.ts";
import type { BoundedStore } from "./bypass.ts";
import { type Entry, entryOf, jsonOf } from "./entry.ts";
import { type Lifetime, MAX_LOAD_MS, type Outcome, type RememberOptions } from "./port.ts";
import { type Made, type Shelf, storeKey, type Work } from "./shelf.ts";
import type { Tags } from "./tags.ts";

/** An instance that dies while it loads holds the others up for this long; one that lives renews its lease. */
const LEASE_MS = 3_000;
/** How long an instance waits for another one's load. Then it loads for itself, and keeps nothing. */
const WAIT_MS = 10_000;
const FIRST_LOOK_MS = 5;
const LAST_LOOK_MS = 100;

/** The largest value that is kept, in characters of its JSON. */
const MAX_VALUE = 1_048_576;
const MAX_MS = 10 * 365 * 86_400_000;
/** The share of the time that chance takes away. */
const JITTER = 0.1;

interface LoaderOptions {
  clock: Clock;
  random: () => number;
  store: BoundedStore | null;
  shelf: Shelf;
  tags: Tags;
  count: (type: Outcome, key: string) => void;
}

export interface Loader {
  /** The value, frozen unless it is undefined, kept if it can be. Rejects with the load's error. */
  load(work: Work, load: () => unknown, options: RememberOptions): Promise<unknown>;
  /** A value as everybody is given it, and what of it can be kept. Throws a TypeError for what is not JSON. */
  made(key: string, value: unknown, options: Lifetime): Promise<Shaped>;
}

export function createLoader({ clock, random, store, shelf, tags, count }: LoaderOptions): Loader {
  const leases = store?.leases ?? null;
  const inTime = ({ began }: Work) => isWithin(MAX_LOAD_MS, began, clock.now());

  function entryFor(json: string, options: RememberOptions, versions: readonly string[]): Entry {
    const madeAt = clock.now();
    const { ttlMs, staleMs = 0, graceMs = staleMs, tags: names = [] } = options;
    const freshUntil = madeAt + ttlMs * (1 - JITTER * random());
    const staleUntil = freshUntil + staleMs;
    const keptUntil = freshUntil + Math.max(staleMs, graceMs);
    return entryOf(json, { madeAt, freshUntil, staleUntil, keptUntil, tags: names, versions });
  }

  /**
   * Resolves with the lease, or with what another instance has made. Neither: the store does not answer, the other one takes too long, or it
   * has kept nothing and somebody else makes the value now. What could not be kept once is not waited for again: all who waited load together
   * instead of one after another.
   */
  async function lease(work: Work): Promise<{ token: string } | { entry: Entry } | null> {
    if (!leases) return null;
    const token = crypto.randomUUID();
    const key = storeKey(work.key);
    const began = performance.now();
    let awaited: string | null = null;
    for (let wait = FIRST_LOOK_MS; ; wait = Math.min(wait * 2, LAST_LOOK_MS)) {
      const answer = await leases.take(key, token, LEASE_MS);
      if (!answer) return null;
      const entry = await shelf.current(work, answer.text);
      if (entry) {
        if (answer.holder === token) await leases.release(key, token);
        return { entry };
      }
      if (answer.holder === token) return { token };
      awaited ??= answer.holder;
      if (answer.holder !== awaited || performance.now() - began > WAIT_MS) return null;
      await pause(wait);
    }
  }

  async function run(work: Work, load: () => unknown): Promise<unknown> {
    count("load", work.key);
    try {
      return await load();
    } catch (error) {
      count("failure", work.key);
      throw error;
    }
  }

  function shaped(key: string, value: unknown, options: RememberOptions, { tagState, versions }: Before): Shaped {
    // "There is none" may cease to be so at any moment, and is not what a source that fails is covered for with.
    const times = value === null ? { ...options, ttlMs: options.nullTtlMs ?? 0, staleMs: 0, graceMs: 0 } : options;
    if (value === undefined) return { value, kept: null };
    const json = jsonOf(value);
    const entry = entryFor(json, times, versions ?? []);
    if (json.length > MAX_VALUE) count("oversize", key);
    const fits = versions !== null && times.ttlMs > 0 && json.length <= MAX_VALUE;
    return { value: entry.value, kept: fits ? { entry, json, tagState } : null };
  }

  async function before(names: readonly string[] = []): Promise<Before> {
    const tagState = tags.state;
    return { tagState, versions: await tags.current(names) };
  }

  async function make(work: Work, load: () => unknown, options: RememberOptions, token: string | null) {
    const asOf = await before(options.tags);
    const loaded = await run(work, load);
    if (!inTime(work)) work.voided = true;
    const { value, kept } = shaped(work.key, loaded, options, asOf);
    // Whether the old value still holds cannot be told either.
    if (asOf.versions === null) return { value, ended: false };
    return { value, ended: await (kept ? shelf.fill(work, kept, token) : shelf.clear(work, token)) };
  }

  return {
    async load(work, load, options) {
      assertTimes(options);
      const got = await lease(work);
      if (got && "entry" in got) return got.entry.value;
      const token = got?.token ?? null;
      const key = storeKey(work.key);
      if (token === null) return (await make(work, load, options, null)).value;
      const renew = () => {
        if (inTime(work)) void leases?.renew(key, token, LEASE_MS);
        else clearInterval(renewal);
      };
      const renewal = setInterval(renew, LEASE_MS / 3);
      let held = true;
      const end = () => {
        held = false;
        clearInterval(renewal);
        work.release = null;
      };
      const release = async () => {
        end();
        await leases?.release(key, token);
      };
      work.release = release;
      try {
        const { value, ended } = await make(work, load, options, token);
        if (ended) end();
        return value;
      } finally {
        if (held) await release();
      }
    },

    async made(key, value, options) {
      assertTimes(options);
      if (value === undefined) throw new TypeError("undefined is no value that can be kept");
      const asOf = await before(options.tags);
      return shaped(key, value, { nullTtlMs: options.ttlMs, ...options }, asOf);
    },
  };
}

function assertTimes({ ttlMs, staleMs = 0, graceMs = 0, nullTtlMs = 0 }: RememberOptions): void {
  if (![ttlMs, staleMs, graceMs, nullTtlMs].every((ms) => ms >= 0 && ms <= MAX_MS))
    throw new RangeError("the times of a cached value are from 0 milliseconds to ten years");
}

/** `kept` is null for what is too large, is not to be kept, or has tags whose versions cannot be known. */
interface Shaped {
  value: unknown;
  kept: Made | null;
}

interface Before {
  tagState: number;
  versions: readonly string[] | null;
}
