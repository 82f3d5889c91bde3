/** A store that may be away or slow, made into one that never rejects and always answers in time: null stands for "no answer". */
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../log/port.ts";
import type { CacheStore } from "./port.ts";

export interface BoundedStore {
  read(keys: readonly string[]): Promise<(string | null)[] | null>;
  write(key: string, text: string, keepMs: number): Promise<void>;
  add(key: string, text: string, keepMs: number): Promise<string | null>;
  remove(keys: readonly string[]): Promise<void>;
  leases: {
    take(key: string, token: string, leaseMs: number): Promise<{ taken: boolean; text: string | null } | null>;
    renew(key: string, token: string, leaseMs: number): Promise<void>;
    fill(key: string, token: string, text: string, keepMs: number): Promise<boolean | null>;
    release(key: string, token: string): Promise<void>;
  } | null;
  close(): Promise<void>;
}

interface BypassOptions {
  clock: Clock;
  log: Log;
  /** How long the store may take for one command, in milliseconds. */
  timeoutMs: number;
}

/** After a command that failed, how long no other is tried, so that a slow store does not slow every request. Then one tries. */
const REST_MS = 1_000;
const WARN_EVERY_MS = 60_000;

/**
 * Removals that a store could not take are made up for before anything else is asked of it. Beyond this many the first are given up; what
 * they should have removed lives until its own time.
 */
const MAX_OWED = 10_000;

export function bypassing(store: CacheStore, { clock, log, timeoutMs }: BypassOptions): BoundedStore {
  const owed = new Set<string>();
  let failing = false;
  let triedAt = Number.NEGATIVE_INFINITY;
  let warnedAt = Number.NEGATIVE_INFINITY;
  let bypassed = 0;

  function owe(keys: readonly string[]) {
    for (const key of keys) owed.add(key);
    for (const key of owed) {
      if (owed.size <= MAX_OWED) break;
      owed.delete(key);
    }
  }

  async function settled<T>(work: () => Promise<T>): Promise<T> {
    if (owed.size === 0) return work();
    const keys = [...owed];
    await store.remove(keys);
    for (const key of keys) owed.delete(key);
    return work();
  }

  async function ask<T>(work: () => Promise<T>): Promise<T | null> {
    const now = clock.now();
    if (failing && now - triedAt < REST_MS) {
      bypassed++;
      return null;
    }
    triedAt = now;
    try {
      const answer = await inTime(settled(work), timeoutMs);
      failing = false;
      return answer;
    } catch (error) {
      failing = true;
      bypassed++;
      warn(error);
      return null;
    }
  }

  function warn(error: unknown) {
    const now = clock.now();
    if (now - warnedAt < WARN_EVERY_MS) return;
    log.warn({ err: error, bypassed }, "the store of the cache does not answer: it is bypassed");
    warnedAt = now;
    bypassed = 0;
  }

  const { leases } = store;
  return {
    read: (keys) => ask(() => store.read(keys)),
    async write(key, text, keepMs) {
      const written = await ask(async () => {
        await store.write(key, text, keepMs);
        return true;
      });
      // What was there before is outdated.
      if (!written) owe([key]);
    },
    add: (key, text, keepMs) => ask(() => store.add(key, text, keepMs)),
    async remove(keys) {
      owe(keys);
      if ((await ask(async () => true)) === null) owe(keys);
    },
    leases: leases
      ? {
          take: (key, token, leaseMs) => ask(() => leases.take(key, token, leaseMs)),
          renew: async (key, token, leaseMs) => void (await ask(() => leases.renew(key, token, leaseMs))),
          fill: (key, token, text, keepMs) => ask(() => leases.fill(key, token, text, keepMs)),
          release: async (key, token) => void (await ask(() => leases.release(key, token))),
        }
      : null,
    close: () => store.close(),
  };
}

function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
