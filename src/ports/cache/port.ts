/**
 * The cache: values that can be made again, kept so that making them costs once. It is never the record of anything, and a request never
 * fails because of it: a store that does not answer in time is bypassed.
 *
 * - **Values** are what JSON can carry. Everybody is given the same deeply frozen value, the one that made it included, so that nobody can
 *   change what others get; to change it, copy it. `null` is a value ("there is none"); `undefined` is "not kept".
 * - **Time** is ours: `ttlMs` counts from when the value was made, by this instance's clock, whatever a store does with expiry. It is
 *   shortened at random by up to a tenth, so that what was made together does not end together.
 * - **Tags** say what a value was made from. `invalidateTag` makes every value of that tag gone at once, in one step, however many there
 *   are: a tag has a version, a value bears the versions that its tags had *before* it was begun to be made, and it counts only while these
 *   are current. So what began before an invalidation and ends after it is never kept as current. A version that a store has lost makes its
 *   values gone, never the other way round. Tags are shared by all namespaces.
 * - **One load**: callers that miss the same key together wait for one load, here and, where the store has leases, on all instances. A load
 *   whose key is set, deleted or invalidated meanwhile still answers those who wait, but its value is not kept.
 * - **Other instances** learn of `set`, `delete` and `invalidateTag` by the bus, at once; without it after `TRUST_MS` at the latest, which
 *   is how long what was read from the store is believed without asking it again. Without a store, by the value's own time.
 * - **Stale**: for `staleMs` after its time a value is still answered at once, while one load makes a new one. For `graceMs` after its time
 *   it is answered when the load fails, and the source is then left alone for a second. What was invalidated or deleted is never answered.
 */
export interface Cache {
  /** The value; undefined when none is kept, it has gone stale, or the store does not answer. Never rejects for want of a store. */
  get<T>(key: string): Promise<Frozen<T> | undefined>;
  /** Keeps the value. Rejects with a TypeError for a value that is not JSON, and with a RangeError for times that are none. */
  set<T>(key: string, value: T, options: Lifetime): Promise<Frozen<T>>;
  /**
   * The kept value, or that of `load`, which is then kept. Rejects with the load's own error when there is nothing to answer in its place.
   * `load` may return undefined: that is answered and not kept. What was kept before is gone then, as with all that cannot be kept.
   */
  remember<T>(key: string, load: () => Promise<T> | T, options: RememberOptions): Promise<Frozen<T>>;
  delete(key: string): Promise<void>;
  invalidateTag(tag: string): Promise<void>;
  /** The same cache with keys and counts of its own. */
  namespace(name: string): Cache;
  /** What happened so far, by namespace (`""` is the cache itself), and what memory holds. */
  metrics(): Metrics;
  /** Tells of everything that is counted, as it happens. Ends with the returned function. */
  on(listener: (event: CacheEvent) => void): () => void;
  /** Finishes what is under way in the background, and gives back what the cache and its store hold. */
  close(): Promise<void>;
}

export interface Lifetime {
  /** How long it is current, in milliseconds. */
  ttlMs: number;
  /** What it was made from. To be known before the load: of a tag that only the value tells, an invalidation meanwhile would be missed. */
  tags?: readonly string[];
}

export interface RememberOptions extends Lifetime {
  /** How long after `ttlMs` it is answered at once while a new value is made. Default: 0. */
  staleMs?: number;
  /** How long after `ttlMs` it is answered when no new value can be made. Default: `staleMs`. */
  graceMs?: number;
  /** How long a load's `null` is answered, in place of all other times. Default: it is not kept. */
  nullTtlMs?: number;
}

/** What becomes of a value on its way through JSON. */
export type Frozen<T> = T extends string | number | boolean | null | undefined
  ? T
  : T extends { toJSON(): infer R }
    ? Frozen<R>
    : T extends bigint | symbol | ((...args: never[]) => unknown)
      ? never
      : { readonly [K in keyof T]: Frozen<T[K]> };

/**
 * Of each call of `get` and `remember` one of the first four: `hit`; `stale` (answered beyond its time); `miss` (nothing current was kept);
 * `bypass` (the store had to be asked and did not answer). The rest is what was done: loads and those that failed; values that were set and
 * deleted, tags that were invalidated; values that were too large to keep; values that memory gave up for want of room.
 */
export const outcomes = [
  "hit",
  "stale",
  "miss",
  "bypass",
  "load",
  "failure",
  "set",
  "delete",
  "invalidate",
  "oversize",
  "eviction",
] as const;
export type Outcome = (typeof outcomes)[number];
export type Counts = Record<Outcome, number>;

export interface CacheEvent {
  type: Outcome;
  namespace: string;
  /** The key as the caller named it; for `invalidate`, the tag. */
  key: string;
}

export interface Metrics {
  namespaces: Record<string, Counts>;
  /** Null where nothing is kept in this process. */
  memory: { entries: number; bytes: number } | null;
}

/** How long what was read from the store is believed without asking again, and hence the bound on learning of a change without a bus. */
export const TRUST_MS = 5_000;

/**
 * How long a load may take for others to join it and for its value to be kept. One that never ends (a connection that hangs) would otherwise
 * keep its key from being made for ever. Beyond this it only answers those who have waited, if it ends at all.
 */
export const MAX_LOAD_MS = 30_000;

/** What differs between the forms of the cache, as data; README's table of drivers is made of it. */
export interface CacheCapabilities {
  /** Whether instances share what is kept. */
  readonly shared: boolean;
  /** Whether callers of all instances that miss together wait for one load. */
  readonly leases: boolean;
  /** By when at the latest an instance sees the invalidation of another one, in milliseconds; null: at the value's own time. */
  readonly seenWithinMs: number | null;
}

export type CacheForm = "memory" | "redis" | "two-level" | "kv";

export const cacheCapabilities: Record<CacheForm, CacheCapabilities> = {
  memory: { shared: false, leases: false, seenWithinMs: null },
  redis: { shared: true, leases: true, seenWithinMs: TRUST_MS },
  "two-level": { shared: true, leases: true, seenWithinMs: TRUST_MS },
  /**
   * A write to KV is seen in other places after up to a minute, and there is no atomic operation: of callers that first use a tag at the
   * same moment, all but one keep in vain.
   */
  kv: { shared: true, leases: false, seenWithinMs: 60_000 + TRUST_MS },
};

/**
 * Where texts are kept beyond this process. It only keeps: times, tags and encoding are the manager's. Every call may reject, or take too
 * long; the manager bears both. Keys are at most 500 characters, any of them.
 */
export interface CacheStore {
  read(keys: readonly string[]): Promise<(string | null)[]>;
  /** Keeps a text for at least `keepMs`, as far as there is room. A lease on the key ends. */
  write(key: string, text: string, keepMs: number): Promise<void>;
  /** Keeps a text unless there is one, and answers the one that is there then. */
  add(key: string, text: string, keepMs: number): Promise<string>;
  /** Also ends leases on the keys. */
  remove(keys: readonly string[]): Promise<void>;
  /** Absent where the store has no atomic operation. */
  leases?: Leases;
  close(): Promise<void>;
}

/** Why a store refuses to write or remove a key: that was done just before. It is well otherwise. */
export class WrittenJustNow extends Error {
  override readonly name = "WrittenJustNow";
}

/** The right of one instance to make the value of a key. It ends by itself, so that an instance that dies holds nobody up. */
export interface Leases {
  /** Takes the lease if it is free. Answers the token of whoever has it then, and what is kept under the key, as of the same moment. */
  take(key: string, token: string, leaseMs: number): Promise<{ holder: string; text: string | null }>;
  /** Holds it for longer, if it is still held. */
  renew(key: string, token: string, leaseMs: number): Promise<void>;
  /**
   * Keeps the text and ends the lease, if it is still held. False: it was lost, because the key was changed meanwhile or because renewing
   * it failed; then the text may be outdated and is not kept.
   */
  fill(key: string, token: string, text: string, keepMs: number): Promise<boolean>;
  /** Removes what is kept and ends the lease, if it is still held. */
  clear(key: string, token: string): Promise<boolean>;
  release(key: string, token: string): Promise<void>;
}
