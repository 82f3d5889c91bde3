/**
 * The Merkle tree of RFC 9162, section 2.1: leaf hash SHA-256(0x00 ‖ entry), node hash SHA-256(0x01 ‖ left ‖ right), and the largest power of
 * two smaller than the size goes left. The tree only grows. Its complete subtrees ("peaks", largest first, one for each bit of the size) are
 * all that has to be kept to go on, so that n new leaves cost n hashes however many came before.
 *
 * Why no library: docs/decisions/audit-seals.md. It is held to the known answers of Certificate Transparency by tests/unit/audit-tree.test.ts.
 */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

export interface Peaks {
  readonly size: number;
  readonly hashes: readonly Uint8Array[];
}

export const noPeaks: Peaks = { size: 0, hashes: [] };

const HASH_BYTES = 32;
const encoder = new TextEncoder();

/** Of the text's bytes in UTF-8. */
export function leafHash(sha256: Sha256, text: string): Uint8Array {
  const bytes = new Uint8Array(1 + text.length * 3);
  const { written } = encoder.encodeInto(text, bytes.subarray(1));
  return sha256(bytes.subarray(0, written + 1));
}

export function nodeHash(sha256: Sha256, left: Uint8Array, right: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + 2 * HASH_BYTES);
  bytes[0] = 1;
  bytes.set(left, 1);
  bytes.set(right, 1 + HASH_BYTES);
  return sha256(bytes);
}

/** The peaks with so many leaves more. */
export function append(sha256: Sha256, { size, hashes }: Peaks, leaves: readonly Uint8Array[]): Peaks {
  const stack = [...hashes];
  let count = size;
  for (const leaf of leaves) {
    stack.push(leaf);
    count++;
    // Each trailing zero of the new size is a pair of equal subtrees that becomes one.
    for (let n = count; n % 2 === 0; n /= 2) {
      const right = stack.pop() as Uint8Array;
      stack.push(nodeHash(sha256, stack.pop() as Uint8Array, right));
    }
  }
  return { size: count, hashes: stack };
}

/** The root of the whole tree; of an empty one, the hash of nothing. */
export function rootOf(sha256: Sha256, { hashes }: Peaks): Uint8Array {
  const [last, ...rest] = hashes.toReversed();
  if (!last) return sha256(new Uint8Array(0));
  return rest.reduce((right, left) => nodeHash(sha256, left, right), last);
}

/** Whether these can be the peaks of a tree of this size: one a bit. */
export const fits = ({ size, hashes }: Peaks): boolean => {
  let bits = 0;
  for (let n = size; n > 0; n = Math.floor(n / 2)) bits += n % 2;
  return bits === hashes.length && hashes.every((hash) => hash.length === HASH_BYTES);
};

/**
 * The inclusion proof (2.1.3.1) of a leaf in the tree of `before` and these leaves, from the nearest sibling to the root. `position` is one of
 * theirs: what lies further back has no leaves here, only peaks, and each sibling in it is one of them.
 */
export function inclusionPath(
  sha256: Sha256,
  before: Peaks,
  leaves: readonly Uint8Array[],
  position: number,
): Uint8Array[] {
  const size = before.size + leaves.length;
  if (position < before.size || position >= size) throw new RangeError("the position is not one of these leaves");
  const starts = startsOf(before);

  function hashOf(from: number, to: number): Uint8Array {
    const peak = starts.get(`${from} ${to}`);
    if (peak) return peak;
    if (to - from === 1) return leaves[from - before.size] as Uint8Array;
    const middle = from + splitOf(to - from);
    return nodeHash(sha256, hashOf(from, middle), hashOf(middle, to));
  }

  const path: Uint8Array[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    if (position < middle) {
      path.push(hashOf(middle, to));
      to = middle;
    } else {
      path.push(hashOf(from, middle));
      from = middle;
    }
  }
  return path.reverse();
}

/** What the root must be, if this leaf is at this place of a tree of this size (2.1.3.2); null for a path of another length. */
export function rootFromPath(
  sha256: Sha256,
  leaf: Uint8Array,
  position: number,
  size: number,
  path: readonly Uint8Array[],
): Uint8Array | null {
  if (!(position >= 0 && position < size)) return null;
  // From the root to the leaf: whether the leaf is in the right half.
  const turns: boolean[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    const right = position >= middle;
    turns.push(right);
    if (right) from = middle;
    else to = middle;
  }
  if (turns.length !== path.length) return null;
  return path.reduce(
    (hash, sibling) => (turns.pop() ? nodeHash(sha256, sibling, hash) : nodeHash(sha256, hash, sibling)),
    leaf,
  );
}

/** The largest power of two that is smaller. */
function splitOf(count: number): number {
  let split = 1;
  while (split * 2 < count) split *= 2;
  return split;
}

function startsOf({ size, hashes }: Peaks): Map<string, Uint8Array> {
  const starts = new Map<string, Uint8Array>();
  let from = 0;
  for (const hash of hashes) {
    let width = 1;
    while (width * 2 <= size - from) width *= 2;
    starts.set(`${from} ${from + width}`, hash);
    from += width;
  }
  return starts;
}
