/**
 * Closes what is open: entries that have no place in the tree yet get one, and the new root is signed.
 *
 * An id is made before its entry commits, so one can appear below others that are sealed already. Hence "open" means "without a leaf", and
 * not "above the last": each run looks back 15 minutes, longer than any statement may take, and a daily one looks at the whole trail.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { addMs, type Instant } from "../../core/clock.ts";
import { AppError, hasCode } from "../../core/error.ts";
import { idPrefixes, newId } from "../../core/id.ts";
import type { Db, Item, Tx } from "../../ports/db/port.ts";
import type { KeySet } from "../auth/keys.ts";
import { byId, canonical, type Entry, idsFrom, timeOfId } from "./entry.ts";
import { digestOf, openSeal, type Seal, signSeal, toHash, toText } from "./seal.ts";
import { createAuditStore, type SealRow } from "./store.ts";
import { append, fits, leafHash, noPeaks, type Peaks, rootOf } from "./tree.ts";

/** How far back an entry may appear behind ones that were made after it. */
const LOOK_BACK_MS = 15 * 60_000;
/** One seal names the few hundred kilobytes that it is over: a fault that cannot be pinned to an entry is pinned to a seal. */
const MAX_ENTRIES = 1000;
const WINDOW = 5000;
/** In a row: each is the success of another run, of which there are few. */
const MAX_CONFLICTS = 20;

export interface Sealed {
  seal: Seal;
  jws: string;
}

interface Head {
  row: SealRow | null;
  peaks: Peaks;
  /** Up to when entries are sealed, but for those that were late. */
  reached: Instant | null;
}

export interface SealingDeps {
  db: Db;
  keys: KeySet;
}

/** What else commits with a seal. */
export type Follows = (tx: Tx, sealed: Sealed) => readonly Item[];

export function createSealing({ db, keys }: SealingDeps) {
  const store = createAuditStore(db);

  /** Where the tree stands, by the newest seal. It is believed only with a signature: going on from a forged one would make it true. */
  async function head(): Promise<Head> {
    const row = await store.newestSeal();
    if (!row) return { row, peaks: noPeaks, reached: null };
    const seal = await openSeal(keys.verifiers, row.jws);
    const peaks = { size: row.size, hashes: row.peaks.map((text) => toHash(text) ?? new Uint8Array(0)) };
    const sound =
      seal !== null &&
      seal.number === row.number &&
      seal.size === row.size &&
      seal.pruned === row.pruned &&
      fits(peaks) &&
      toText(rootOf(sha256, peaks)) === seal.root;
    if (!sound)
      throw new AppError("internal", {
        cause: new Error(`audit: seal ${row.number} is not signed by AUDIT_KEYS, or was changed`),
      });
    return { row, peaks, reached: await reachedBy(seal) };
  }

  /** A run that was cut short goes on where it was, so what counts is the newest entry, not when it was sealed. */
  async function reachedBy(seal: Seal): Promise<Instant | null> {
    let { last, number } = seal;
    while (last === null && number > 1)
      last = (await store.seal(--number).then((row) => row && openSeal(keys.verifiers, row.jws)))?.last ?? null;
    return last === null ? null : timeOfId(last);
  }

  async function write(
    from: Head,
    entries: readonly Entry[],
    pruned: number,
    now: Instant,
    follows: Follows,
  ): Promise<Head> {
    const leaves = entries.map((entry) => leafHash(sha256, canonical(entry)));
    const peaks = append(sha256, from.peaks, leaves);
    const seal: Seal = {
      number: (from.row?.number ?? 0) + 1,
      size: peaks.size,
      root: toText(rootOf(sha256, peaks)),
      previous: from.row && digestOf(sha256, from.row.jws),
      time: now,
      first: entries[0]?.id ?? null,
      last: entries.at(-1)?.id ?? null,
      pruned,
    };
    const jws = await signSeal(keys, seal);
    const { number, size } = seal;
    const row = {
      id: newId(idPrefixes.auditSeal),
      createdAt: now,
      number,
      size,
      pruned,
      peaks: peaks.hashes.map(toText),
      jws,
    };
    const placed = entries.map(({ id }, i) => ({
      id,
      position: from.peaks.size + i,
      hash: toText(leaves[i] as Uint8Array),
    }));
    // The number is unique: of two that seal at once, as the minutely and the daily job do at 03:50, one is undone.
    await db.atomic((tx) => [
      ...(placed.length > 0 ? [store.insertLeaves(tx, now, placed)] : []),
      store.insertSeal(tx, row),
      ...follows(tx, { seal, jws }),
    ]);
    return { row, peaks, reached: from.reached };
  }

  async function run(start: (head: Head) => string, now: Instant, signal: AbortSignal, follows: Follows) {
    let at = await head();
    const result = { sealed: 0, seals: 0 };
    let conflicts = 0;
    for (let after: string | null = start(at); after !== null && !signal.aborted; ) {
      const { entries: found, end } = await store.open(after, WINDOW);
      const entries = found.toSorted(byId);
      try {
        for (let i = 0; i < entries.length && !signal.aborted; i += MAX_ENTRIES) {
          const part = entries.slice(i, i + MAX_ENTRIES);
          const isLast = end === null && i + MAX_ENTRIES >= entries.length;
          at = await write(at, part, at.row?.pruned ?? 0, now, isLast ? follows : () => []);
          result.sealed += part.length;
          result.seals++;
          conflicts = 0;
        }
        after = end;
      } catch (error) {
        // The other one's seal is there: this window is read again, and what is still open in it goes behind that seal.
        if (!hasCode(error, "conflict") || ++conflicts > MAX_CONFLICTS) throw error;
        at = await head();
      }
    }
    return result;
  }

  const nothing: Follows = () => [];
  const never = new AbortController().signal;

  return {
    /** Seals what has become open lately. `follows` commits with the newest seal alone. */
    seal: (now: Instant, { signal = never, follows = nothing } = {}) =>
      run(({ reached }) => (reached === null ? "" : idsFrom(addMs(reached, -LOOK_BACK_MS))), now, signal, follows),
    /** Seals whatever is open, also far back. */
    sweep: (now: Instant, { signal = never, follows = nothing } = {}) => run(() => "", now, signal, follows),
    /** A seal that gives up the first so many entries. */
    async giveUp(pruned: number, now: Instant, follows: Follows): Promise<void> {
      const from = await head();
      if (pruned > from.peaks.size || pruned < (from.row?.pruned ?? 0))
        throw new RangeError("only sealed entries can be given up, and none a second time");
      await write(from, [], pruned, now, follows);
    },
  };
}
