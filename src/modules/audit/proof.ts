/** Proves one entry to somebody who is shown no other: its inclusion in the tree of the seal that closed it (RFC 9162, 2.1.3). */
import { sha256 as portable } from "@noble/hashes/sha2.js";
import { AppError } from "../../core/error.ts";
import type { Db } from "../../ports/db/port.ts";
import type { KeySet } from "../auth/keys.ts";
import { canonical } from "./entry.ts";
import { openSeal, type Seal, toHash, toText } from "./seal.ts";
import { createAuditStore } from "./store.ts";
import { inclusionPath, leafHash, noPeaks, type Peaks, rootFromPath, type Sha256 } from "./tree.ts";

export interface Proof {
  hearth: "audit-proof";
  version: 1;
  /** The entry's text, exactly as it is hashed. */
  entry: string;
  position: number;
  /** From the nearest sibling to the root, in base64url. */
  path: string[];
  /** The JWS whose payload tells size and root. */
  seal: string;
}

/** Throws `not_found` for an entry that does not exist or was pruned, `conflict` for one that is not sealed yet. */
export async function prove(db: Db, id: string): Promise<Proof> {
  const store = createAuditStore(db);
  const position = await store.positionOf(id);
  const seal = position === null ? null : await store.sealOver(position);
  if (position === null || !seal) throw new AppError("not_found", { detail: "No sealed entry has this id." });
  const last = seal.number === 1 ? null : await store.seal(seal.number - 1);
  const before: Peaks = last ? { size: last.size, hashes: last.peaks.map(hashOf) } : noPeaks;
  const rows = await store.placed(before.size, seal.size, seal.size - before.size);
  const own = rows.find((row) => row.position === position);
  if (!own?.entry) throw new AppError("not_found", { detail: "The entry is not there any more." });
  const path = inclusionPath(
    portable,
    before,
    rows.map(({ hash }) => hashOf(hash)),
    position,
  );
  return {
    hearth: "audit-proof",
    version: 1,
    entry: canonical(own.entry),
    position,
    path: path.map(toText),
    seal: seal.jws,
  };
}

/** The seal that the proof leads to; null when one of these keys did not sign it, or the path leads elsewhere. */
export async function verifyProof(proof: Proof, verifiers: KeySet["verifiers"], sha256: Sha256): Promise<Seal | null> {
  const seal = await openSeal(verifiers, proof.seal);
  const path = proof.path.map(toHash);
  if (!seal || !path.every((hash) => hash !== null)) return null;
  const root = rootFromPath(sha256, leafHash(sha256, proof.entry), proof.position, seal.size, path);
  return root && toText(root) === seal.root ? seal : null;
}

function hashOf(text: string): Uint8Array {
  const hash = toHash(text);
  if (!hash) throw new AppError("internal", { cause: new Error("audit: a stored hash is none") });
  return hash;
}
