/** The Passwords port over a bare argon2id function, which is all that a driver has to bring. */
import { type Cost, parsePhc, printPhc } from "./phc.ts";
import type { Passwords } from "./port.ts";

/** Computes an argon2id tag (version 1.3, no secret, no associated data). */
export type Argon2 = (work: Argon2Work) => Promise<Uint8Array<ArrayBuffer>>;

export interface Argon2Work {
  password: Uint8Array<ArrayBuffer>;
  salt: Uint8Array<ArrayBuffer>;
  cost: Cost;
  /** Bytes. */
  tagLength: number;
}

/** OWASP's first choice for argon2id (Password Storage Cheat Sheet). Raise it here: logins re-hash what is older. */
const today: Cost = { memory: 19_456, passes: 2, lanes: 1 };
const SALT_LENGTH = 16;
const TAG_LENGTH = 32;

export function createPasswords(argon2: Argon2): Passwords {
  const encoder = new TextEncoder();
  return {
    async hash(password) {
      const salt = crypto.getRandomValues(new Uint8Array(SALT_LENGTH));
      const tag = await argon2({ password: encoder.encode(password), salt, cost: today, tagLength: TAG_LENGTH });
      return printPhc({ cost: today, salt, tag });
    },
    async verify(password, text) {
      const phc = parsePhc(text);
      if (!phc) return { ok: false, stale: false };
      const { cost, salt, tag } = phc;
      const computed = await argon2({ password: encoder.encode(password), salt, cost, tagLength: tag.length });
      const ok = equal(computed, tag);
      return { ok, stale: ok && !isToday(phc) };
    },
  };
}

const isToday = ({ cost, salt, tag }: { cost: Cost; salt: Uint8Array; tag: Uint8Array }): boolean =>
  cost.memory === today.memory &&
  cost.passes === today.passes &&
  cost.lanes === today.lanes &&
  salt.length >= SALT_LENGTH &&
  tag.length >= TAG_LENGTH;

/** Takes the same time wherever the two differ. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < b.length; i++) difference |= (a[i] ?? 0) ^ (b[i] as number);
  return difference === 0;
}
