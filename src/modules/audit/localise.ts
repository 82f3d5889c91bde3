/** Which entry of a seal is not as it was: the recorded leaves, the entries as they are, and their order are tried against the signed root. */
import { byId } from "./entry.ts";
import { type Seal, toHash, toText } from "./seal.ts";
import { append, type Peaks, rootOf, type Sha256 } from "./tree.ts";
import type { Fault } from "./verify.ts";

export interface Line {
  position: number;
  id: string;
  /** The leaf that is recorded for it. */
  leaf: string;
  /** The leaf of the entry as it is in the file; null where none is shown. */
  actual: string | null;
  isMasked: boolean;
  /** What the entry says of its time. */
  madeAt: string | null;
}

interface Found {
  faults: Fault[];
  proved: number;
  masked: number;
}

/** Leaving out one of so many lines at a time is a second of work; more is not worth it. */
const MAX_TRIES = 1001;

export function localise(sha256: Sha256, before: Peaks, seal: Seal, lines: readonly Line[]): Found {
  const count = seal.size - before.size;
  const { number } = seal;
  const holds = (leaves: readonly string[]): boolean =>
    leaves.length === count &&
    toText(
      rootOf(
        sha256,
        append(
          sha256,
          before,
          leaves.map((leaf) => toHash(leaf) as Uint8Array),
        ),
      ),
    ) === seal.root;
  const at = (line: Line, kind: Fault["kind"], detail: string): Fault => ({
    kind,
    id: line.id,
    position: line.position,
    seal: number,
    detail,
  });
  const recorded = (list: readonly Line[]) => list.map(({ leaf }) => leaf);
  const actual = (list: readonly Line[]) => list.map(({ leaf, actual }) => actual ?? leaf);
  const inPlace = lines.every(({ position }, i) => position === before.size + i);

  /** With leaves that are proved, each entry is judged by its own. */
  function judge(list: readonly Line[]): Found {
    const byLeaf = new Map(list.map((line) => [line.leaf, line]));
    const faults = list.flatMap((line): Fault[] => {
      if (line.isMasked || line.actual === line.leaf) return [];
      if (line.actual === null) return [at(line, "removed", "Its place is sealed, and it is not there.")];
      const owner = byLeaf.get(line.actual);
      return [
        owner
          ? at(line, "reordered", `It holds what was sealed as ${owner.id}.`)
          : at(line, "altered", "It is not what was sealed."),
      ];
    });
    const masked = list.filter(({ isMasked }) => isMasked).length;
    return { faults, proved: list.length - masked - faults.length, masked };
  }

  if (holds(recorded(lines))) {
    const found = judge(lines);
    for (const [i, line] of lines.entries())
      if (line.position !== before.size + i)
        found.faults.push(at(line, "reordered", "It stands at another place than its number says."));
    return found;
  }
  const differing = lines.filter((line) => line.actual !== null && line.actual !== line.leaf);
  if (holds(actual(lines)))
    return {
      faults: differing.map((line) =>
        at(line, "altered", "The entry is as it was sealed; the record of its leaf is not."),
      ),
      proved: lines.length - differing.length,
      masked: 0,
    };

  // Within a seal entries are in the order of their ids.
  const sorted = lines.toSorted(byId);
  for (const leaves of [recorded(sorted), actual(sorted)]) {
    if (!holds(leaves)) continue;
    const moved = lines.filter((line, i) => line.id !== sorted[i]?.id);
    const faults = moved.map((line) => at(line, "reordered", `Its place was ${before.size + sorted.indexOf(line)}.`));
    return { faults, proved: lines.length - moved.length, masked: 0 };
  }

  if (lines.length === count + 1 && lines.length <= MAX_TRIES) {
    for (const line of lines) {
      const rest = lines.filter((other) => other !== line);
      if (!holds(recorded(rest))) continue;
      const found = judge(rest);
      return { ...found, faults: [at(line, "inserted", "It was not there when its seal was made."), ...found.faults] };
    }
  }

  const faults: Fault[] = [];
  const whole = (kind: Fault["kind"], detail: string, position: number | null = null) =>
    faults.push({ kind, id: null, position, seal: number, detail });
  const range = `between ${seal.first} and ${seal.last}`;
  if (lines.length < count) {
    const present = new Set(lines.map(({ position }) => position));
    const gone = Array.from({ length: count }, (_, i) => before.size + i).filter((position) => !present.has(position));
    const missing = count - lines.length;
    if (gone.length === missing)
      for (const position of gone.slice(0, 100))
        whole("removed", "The entry of this place is missing, with its leaf.", position);
    else
      whole(
        "removed",
        `${missing} of its ${count} entries are missing, ${range}, and the places of others were changed.`,
      );
  } else if (lines.length > count)
    whole("inserted", `${lines.length - count} entries more than its ${count} are under it, ${range}.`);
  else if (!inPlace) whole("reordered", `The places of its entries are not 0 to ${count - 1} of it.`);
  for (const line of differing) faults.push(at(line, "altered", "It is not what its leaf says."));
  for (const line of lines)
    if (line.actual === null && !line.isMasked) faults.push(at(line, "removed", "It is not there."));
  if (faults.length === 0)
    whole(
      "altered",
      `An entry was altered together with its leaf, ${range}: which one cannot be told from this file alone.`,
    );
  return { faults, proved: 0, masked: 0 };
}
