/**
 * The PHC string format (github.com/P-H-C/phc-string-format) for the one algorithm that is stored here:
 * `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<tag>`, both in base 64 without padding.
 */

/** What a hash costs: `memory` in KiB, `passes` over it, `lanes` that could run in parallel. */
export interface Cost {
  memory: number;
  passes: number;
  lanes: number;
}

export interface Phc {
  cost: Cost;
  salt: Uint8Array<ArrayBuffer>;
  tag: Uint8Array<ArrayBuffer>;
}

/**
 * The most that a stored string may ask for: 64 MiB, and no more memory traffic than 64 MiB four times. That admits both settings
 * that RFC 9106 (4) recommends for machines without 2 GiB to spare, and keeps a planted string from costing more than seven of ours.
 */
const MAX_MEMORY = 65_536;
const MAX_TRAFFIC = 4 * MAX_MEMORY;
const MAX_LANES = 16;

const SHAPE =
  /^\$argon2id\$v=19\$([mtp]=[1-9]\d{0,6},[mtp]=[1-9]\d{0,6},[mtp]=[1-9]\d{0,6})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** Null for what is not an argon2id string, or asks for more than is ever computed. The order of the parameters is free. */
export function parsePhc(text: string): Phc | null {
  const [, params, salt, tag] = SHAPE.exec(text) ?? [];
  if (!params || !salt || !tag || salt.length % 4 === 1 || tag.length % 4 === 1) return null;
  const { m, t, p } = Object.fromEntries(params.split(",").map((pair) => [pair[0], Number(pair.slice(2))]));
  // A name that stands twice leaves another one out.
  if (!m || !t || !p) return null;
  // Argon2 itself needs 8 KiB a lane (RFC 9106, 3.1).
  if (m > MAX_MEMORY || m * t > MAX_TRAFFIC || p > MAX_LANES || m < 8 * p) return null;
  return { cost: { memory: m, passes: t, lanes: p }, salt: fromBase64(salt), tag: fromBase64(tag) };
}

export const printPhc = ({ cost, salt, tag }: Phc): string =>
  `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.lanes}$${toBase64(salt)}$${toBase64(tag)}`;

const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes)).replace(/=+$/, "");
const fromBase64 = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
