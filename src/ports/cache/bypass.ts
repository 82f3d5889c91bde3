/** A store that may be away or slow, made into one that never rejects and always answers in time: null stands for "no answer". */
import { type Clock, isWithin, unref } from "../../core/clock.ts";
import { pause, withTimeout } from "../../core/timeout.ts";
import type { Log } from "../log/port.ts";
import { createDebts } from "./debts.ts";
import { type CacheStore, WrittenJustNow } from "./port.ts";

export interface BoundedStore {
  read(keys: readonly string[]): Promise<(string | null)[] | null>;
  write(key: string, text: string, keepMs: number): Promise<void>;
  /** The same for what a load has made: where somebody else has written the key just now, theirs will do. */
  writeLoaded(key: string, text: string, keepMs: number): Promise<void>;
  add(key: string, text: string, keepMs: number): Promise<string | null>;
  remove(keys: readonly string[]): Promise<void>;
  leases: {
    take(key: string, token: string, leaseMs: number): Promise<{ holder: string; text: string | null } | null>;
    renew(key: string, token: string, leaseMs: number): Promise<void>;
    fill(key: string, token: string, text: string, keepMs: number): Promise<boolean | null>;
    clear(key: string, token: string): Promise<boolean | null>;
    release(key: string, token: string): Promise<void>;
  } | null;
  /** Tries once more to remove what is owed. */
  close(): Promise<void>;
}

interface BypassOptions {
  clock: Clock;
  log: Log;
  /** How long the store may take for one command, in milliseconds. */
  timeoutMs: number;
  /**
   * Whether removals that are owed are tried again without a call, and all together. Not on Workers, where a timer ends with its request, and
   * a request may ask for so much in all: there each call makes up for a few.
   */
  retries: boolean;
  /** Takes what goes on after a caller was answered. */
  background: (work: Promise<unknown>) => void;
  /** Told of removals that were made up for: until then others have found what was to be gone. */
  onLate: (keys: readonly string[]) => void;
}

/** After a command has failed, how long no other is tried, so that a slow store does not slow every request. Then one tries. */
const REST_MS = 1_000;
const WARN_EVERY_MS = 60_000;

/** How often, a second apart, a request on Workers tries again after its answer to remove what it was to remove. */
const TRIES = 5;

export function bypassing(store: CacheStore, options: BypassOptions): BoundedStore {
  const { clock, log, timeoutMs, retries, background, onLate } = options;
  const debts = createDebts({ store, inParts: !retries, onLate });
  let retry: ReturnType<typeof setTimeout> | undefined;
  let open = true;
  let failing = false;
  let triedAt = Number.NEGATIVE_INFINITY;
  let warnedAt = Number.NEGATIVE_INFINITY;
  let bypassed = 0;

  function owe(keys: readonly string[]) {
    debts.add(keys, true);
    payLater();
  }

  function payLater() {
    if (!retries || !open || retry !== undefined) return;
    const again = async () => {
      if (debts.size() > 0) await attempt(() => debts.pay(none));
      retry = undefined;
      if (debts.size() > 0) payLater();
    };
    retry = unref(setTimeout(again, REST_MS));
  }

  async function settled<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    if (debts.size() > 0) await debts.pay(keys);
    return work();
  }

  async function ask<T>(keys: readonly string[], work: () => Promise<T>): Promise<T | null> {
    if (failing && isWithin(REST_MS, triedAt, clock.now())) {
      bypassed++;
      return null;
    }
    return attempt(() => settled(keys, work));
  }

  async function attempt<T>(work: () => Promise<T>): Promise<T | null> {
    triedAt = clock.now();
    try {
      const answer = await withTimeout(work(), timeoutMs);
      failing = false;
      return answer;
    } catch (error) {
      failing = !(error instanceof WrittenJustNow);
      if (!failing) return null;
      triedAt = clock.now();
      bypassed++;
      warn(error);
      return null;
    }
  }

  function warn(error: unknown) {
    const now = clock.now();
    if (isWithin(WARN_EVERY_MS, warnedAt, now)) return;
    log.warn({ err: error, bypassed }, "the store of the cache does not answer: it is bypassed");
    warnedAt = now;
    bypassed = 0;
  }

  /** A change is not to wait for the next call of this isolate, which may never come. */
  function insist(keys: readonly string[]): void {
    if (retries || !keys.some(debts.has)) return;
    const again = async () => {
      for (let i = 0; i < TRIES && keys.some(debts.has); i++) {
        await pause(REST_MS);
        await ask(keys, async () => true);
      }
    };
    background(again());
  }

  async function keep(key: string, text: string, keepMs: number, yields: boolean): Promise<void> {
    // It is replaced in any case, and KV takes but one write of a key at a time.
    const debt = debts.drop(key);
    const written = await ask(none, () =>
      store.write(key, text, keepMs).then(
        () => true,
        (error) => {
          if (error instanceof WrittenJustNow) return yields && !debt;
          throw error;
        },
      ),
    );
    // What was there before is outdated.
    if (!written) owe([key]);
    if (!yields) insist([key]);
    if (written && debt?.late) onLate([key]);
  }

  const { leases } = store;
  return {
    read: (keys) =>
      ask(keys, async () => {
        const texts = await store.read(keys);
        return keys.map((key, i) => (debts.has(key) ? null : (texts[i] ?? null)));
      }),
    write: (key, text, keepMs) => keep(key, text, keepMs, false),
    writeLoaded: (key, text, keepMs) => keep(key, text, keepMs, true),
    add: (key, text, keepMs) => ask([key], () => store.add(key, text, keepMs)),
    async remove(keys) {
      debts.add(keys, false);
      if ((await ask(keys, async () => true)) === null) owe(keys);
      insist(keys);
    },
    leases: leases
      ? {
          take: (key, token, leaseMs) => ask([key], () => leases.take(key, token, leaseMs)),
          renew: async (key, token, leaseMs) => void (await ask([key], () => leases.renew(key, token, leaseMs))),
          fill: (key, token, text, keepMs) => ask([key], () => leases.fill(key, token, text, keepMs)),
          clear: (key, token) => ask([key], () => leases.clear(key, token)),
          release: async (key, token) => void (await ask([key], () => leases.release(key, token))),
        }
      : null,
    async close() {
      open = false;
      clearTimeout(retry);
      if (debts.size() > 0) await attempt(() => debts.pay(none));
      await store.close();
    },
  };
}

const none: readonly string[] = [];
