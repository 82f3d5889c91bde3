/** What anchors in object storage have in common: each seal is an object of its own, written once. */
import { decodeJwt } from "jose";
import { sha256Hex } from "../../core/hash.ts";

export interface SealObject {
  /**
   * By its number, so that objects are listed in order, and by its hash: another seal of that number stands beside it and never in its place,
   * and whoever puts one needs no right to read what is there.
   */
  name: string;
  /** A whole line, so that all objects one after the other are the file that `bun run audit verify --anchor` reads. */
  body: string;
  contentType: string;
}

export function sealObject(jws: string): SealObject {
  const number = String(decodeJwt<{ number: number }>(jws).number).padStart(9, "0");
  const hash = sha256Hex(jws).slice(0, 32);
  return { name: `${number}-${hash}.jws`, body: `${jws}\n`, contentType: "application/jose" };
}
