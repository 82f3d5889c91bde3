/**
 * Checks an export (export.ts) with public keys alone, line by line, at most one seal's entries in memory. Nothing in the file is believed
 * but what a key signed: seals, and through their roots the leaves. What it finds is told as faults, each pinned to an entry where that can
 * be known, and to the seal that it is under otherwise.
 */
import type { KeySet } from "../auth/keys.ts";
import { timeOfId } from "./entry.ts";
import { type Line, localise } from "./localise.ts";
import { digestOf, openSeal, type Seal, toHash, toText } from "./seal.ts";
import { append, fits, leafHash, noPeaks, type Peaks, rootOf, type Sha256 } from "./tree.ts";

export interface Fault {
  kind: "altered" | "inserted" | "removed" | "reordered" | "truncated" | "forged";
  /** Of the entry; null where it is not known. */
  id: string | null;
  position: number | null;
  /** The number of the seal that it is under; null for what is not sealed. */
  seal: number | null;
  detail: string;
}

export interface Report {
  /** Sealed entries that are proved to be as they were, and in their place. */
  proved: number;
  /** Entries whose place is proved and whose content the export does not show. */
  masked: number;
  /** Entries that no seal is over yet. */
  open: number;
  /** Entries that were given up, by a signed statement. */
  pruned: number;
  seals: number;
  /** The position that the export begins at. */
  start: number;
  newest: Seal | null;
  faults: Fault[];
}

export interface VerifyOptions {
  verifiers: KeySet["verifiers"];
  sha256: Sha256;
  /** Seals that were kept elsewhere, as JWS. Without any, it cannot be seen that the newest seals are missing with their entries. */
  anchors?: readonly string[];
}

const SEALED =
  /^\{"position":(\d{1,15}),"id":"(aud_\w{1,60})","leaf":"([\w-]{43})","(?:entry":(null|\{.*\})|masked":\{.*\})\}$/s;
const OPEN = /^\{"id":"(aud_\w{1,60})","(entry|masked)":(\{.*\})\}$/s;
const MADE_AT = /"createdAt":"([^"]{24})"/;
/** An entry older than others that were sealed before it: its transaction took long, or it was put there later. */
const LATE_MS = 3_600_000;
/** Seals over no more than this: as long as one seal's leaves are held in memory, nobody can make that everything. */
const MAX_LINES = 100_000;

export function createVerifier({ verifiers, sha256, anchors = [] }: VerifyOptions) {
  const report: Report = { proved: 0, masked: 0, open: 0, pruned: 0, seals: 0, start: 0, newest: null, faults: [] };
  const seen = new Map<number, string>();
  /** Seals without any of their entries: given up, if the newest seal says so. */
  const absent: { seal: Seal; from: number; count: number }[] = [];
  let before: Peaks = noPeaks;
  let previous: { seal: Seal; jws: string } | null = null;
  let lines: Line[] = [];
  let started = false;
  let startsAfter = 0;
  let ended = false;
  let newestMade = Number.NEGATIVE_INFINITY;

  const fault = (kind: Fault["kind"], detail: string, where: Partial<Fault> = {}) => {
    report.faults.push({ kind, id: null, position: null, seal: null, ...where, detail });
  };

  function entry(text: string): boolean {
    const sealed = SEALED.exec(text);
    if (sealed) {
      const [, position = "", id = "", leaf = "", body] = sealed;
      const hash = body === undefined || body === "null" ? null : leafHash(sha256, body);
      if (lines.length < MAX_LINES)
        lines.push({
          position: Number(position),
          id,
          leaf,
          actual: hash && toText(hash),
          isMasked: body === undefined,
          madeAt: body === undefined ? null : (MADE_AT.exec(body)?.[1] ?? null),
        });
      return true;
    }
    const open = OPEN.exec(text);
    if (!open) return false;
    const [, id = "", , body = ""] = open;
    report.open++;
    tellLate({ id, madeAt: MADE_AT.exec(body)?.[1] ?? null }, null, null);
    return true;
  }

  function tellLate({ id, madeAt }: Pick<Line, "id" | "madeAt">, position: number | null, seal: number | null): void {
    const made = Math.min(Date.parse(timeOfId(id)), madeAt === null ? Number.POSITIVE_INFINITY : Date.parse(madeAt));
    if (made >= newestMade - LATE_MS) return;
    fault("inserted", "It says that it is older than entries that were sealed when it was not there.", {
      id,
      position,
      seal,
    });
  }

  async function seal(jws: string, texts: readonly string[]): Promise<void> {
    const opened = await openSeal(verifiers, jws);
    const own = lines;
    lines = [];
    if (!opened) {
      fault("forged", `A seal behind number ${previous?.seal.number ?? startsAfter} is signed by none of the keys.`);
      return;
    }
    const { number, size } = opened;
    const hashes = texts.map((text) => toHash(text) ?? new Uint8Array(0));
    const peaks: Peaks = { size, hashes };
    const peaksHold = fits(peaks) && toText(rootOf(sha256, peaks)) === opened.root;
    const isStart = previous === null && startsAfter > 0 && number === startsAfter;
    const gap = number - (previous?.seal.number ?? 0) - 1;
    if (isStart) report.start = size;
    else {
      if (gap > 0)
        fault(
          "removed",
          `${gap === 1 ? "The seal" : `${gap} seals`} before seal ${number} ${gap === 1 ? "is" : "are"} missing.`,
          { seal: number },
        );
      if (gap < 0) fault("reordered", `Seal ${number} stands behind seal ${previous?.seal.number}.`, { seal: number });
      if (gap === 0 && opened.previous !== (previous && digestOf(sha256, previous.jws)))
        fault("forged", `Seal ${number} was made behind another seal than the one before it.`, { seal: number });
      if (gap === 0) check(opened, own);
    }
    if (!peaksHold) fault("altered", `The peaks beside seal ${number} are not those of its root.`, { seal: number });
    // After a fault the tree goes on from what was signed, so that later entries are judged by themselves.
    before = peaksHold
      ? peaks
      : append(
          sha256,
          before,
          own.map((line) => toHash(line.leaf) as Uint8Array),
        );
    if (opened.last !== null) newestMade = Math.max(newestMade, Date.parse(timeOfId(opened.last)));
    previous = { seal: opened, jws };
    seen.set(number, jws);
    report.newest = opened;
    report.seals++;
  }

  function check(opened: Seal, own: readonly Line[]): void {
    const { number, size } = opened;
    const count = size - before.size;
    if (own.length === 0 && count > 0) {
      absent.push({ seal: opened, from: before.size, count });
      return;
    }
    const found = localise(sha256, before, opened, own);
    report.faults.push(...found.faults);
    report.proved += found.proved;
    report.masked += found.masked;
    for (const line of own) tellLate(line, line.position, number);
  }

  return {
    /** One line of the file, without its end. Answers a promise where there is something to wait for. */
    line(text: string): Promise<void> | undefined {
      if (ended) fault("inserted", "There is more behind the end of the export.");
      if (entry(text)) return;
      const other = parse(text);
      if (!started && other?.hearth === "audit" && other.version === 1) {
        started = true;
        startsAfter = Number(other.after) || 0;
        return;
      }
      if (typeof other?.seal === "string" && Array.isArray(other.peaks))
        return seal(other.seal, other.peaks as string[]);
      if (other?.end) ended = true;
      else fault("altered", `A line is none of an export: ${text.slice(0, 60)}`);
    },

    async end(): Promise<Report> {
      if (!started) fault("truncated", "The file does not begin as an export does.");
      if (!ended) fault("truncated", "The file ends before the export did.");
      if (lines.length > 0)
        fault(
          "truncated",
          `${lines.length} entries from position ${lines[0]?.position} on had a seal, which is missing.`,
          { id: lines[0]?.id ?? null, position: lines[0]?.position ?? null },
        );
      const given = report.newest?.pruned ?? 0;
      for (const { seal: over, from, count } of absent) {
        if (from + count <= given) report.pruned += count;
        else
          fault("removed", `All ${count} entries of seal ${over.number} are missing, and none were given up.`, {
            id: over.first,
            position: from,
            seal: over.number,
          });
      }
      for (const jws of anchors) {
        const kept = await openSeal(verifiers, jws);
        if (!kept) fault("forged", "An anchor is signed by none of the keys.");
        else if (kept.number >= startsAfter && kept.number > (report.newest?.number ?? 0))
          fault(
            "truncated",
            `Seal ${kept.number} of ${kept.time} was kept elsewhere, and is missing here with whatever it was over: ${kept.size} entries in all.`,
            { id: kept.last, seal: kept.number },
          );
        else if (kept.number >= Math.max(startsAfter, 1) && seen.get(kept.number) !== jws)
          fault("forged", `Seal ${kept.number} is another one than was kept elsewhere.`, { seal: kept.number });
      }
      return report;
    },
  };
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
