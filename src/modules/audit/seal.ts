/** A seal: the signed statement that the tree of all entries had this root at this time. A compact JWS (RFC 7515) of Ed25519. */
import { base64url, CompactSign, compactVerify, decodeProtectedHeader } from "jose";
import type { Instant } from "../../core/clock.ts";
import type { KeySet } from "../auth/keys.ts";
import type { Sha256 } from "./tree.ts";

export interface Seal {
  /** From 1, without gaps. */
  number: number;
  /** How many entries the tree has, from the first that there ever was. */
  size: number;
  /** The tree's root, in base64url. */
  root: string;
  /** SHA-256 of the JWS of the seal before, in base64url; null for the first. */
  previous: string | null;
  time: Instant;
  /** The ids of the first and the last entry that are new in it; null for a seal that only gives entries up. */
  first: string | null;
  last: string | null;
  /** So many entries at the beginning were given up, and may be missing. */
  pruned: number;
}

const ALGORITHM = "EdDSA";
/** Keeps a seal from being taken for a token, and a token for a seal, should one key sign both. */
const TYPE = "hearth-seal+json";
const encoder = new TextEncoder();

export const signSeal = ({ signer }: KeySet, seal: Seal): Promise<string> =>
  new CompactSign(encoder.encode(JSON.stringify(seal)))
    .setProtectedHeader({ alg: ALGORITHM, kid: signer.kid, typ: TYPE })
    .sign(signer.key);

/** The seal, if one of these keys signed it; null otherwise. */
export async function openSeal(verifiers: KeySet["verifiers"], jws: string): Promise<Seal | null> {
  try {
    const { kid, typ } = decodeProtectedHeader(jws);
    const key = verifiers.get(kid ?? "");
    if (!key || typ !== TYPE) return null;
    const { payload } = await compactVerify(jws, key, { algorithms: [ALGORITHM] });
    return JSON.parse(new TextDecoder().decode(payload)) as Seal;
  } catch {
    return null;
  }
}

/** What the next seal calls `previous`. */
export const digestOf = (sha256: Sha256, jws: string): string => toText(sha256(encoder.encode(jws)));

export const toText = (hash: Uint8Array): string => base64url.encode(hash);

/** The 32 bytes of a hash; null for a text that holds something else. */
export function toHash(text: unknown): Uint8Array | null {
  if (typeof text !== "string" || !/^[\w-]{43}$/.test(text)) return null;
  return base64url.decode(text);
}
