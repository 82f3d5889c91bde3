/**
 * Passwords as they are stored: argon2id in a PHC string, which every driver writes and every driver reads.
 *
 * - The password is hashed exactly as it was received, as UTF-8: no trimming, truncation, case folding or Unicode normalisation
 *   (OWASP ASVS 5.0, 6.2.8). Its length is the caller's to bound.
 * - Work is bounded. A driver computes a few hashes at once, each of which takes 19 MiB, and lets a limited number wait; the next caller
 *   gets `unavailable`. A stored string that asks for more memory or time than any sane setting does is not computed at all.
 * - A string that cannot be read (another algorithm, a broken encoding, absurd parameters) matches no password; it is not an error, so
 *   that one damaged row cannot be told from a wrong password.
 * - Unreadable strings are answered at once and readable ones after some tens of milliseconds. A caller that must not reveal whether an
 *   account exists verifies against a hash of its own when there is none.
 */
export interface Passwords {
  /** A PHC string with a new salt and today's parameters. Throws `unavailable` when too many hashes are waiting. */
  hash(password: string): Promise<string>;
  /** Whether the password made the PHC string. Throws `unavailable` when too many hashes are waiting. */
  verify(password: string, phc: string): Promise<Verified>;
}

export interface Verified {
  ok: boolean;
  /** The password is right and its hash was made with other parameters than today's: store a new one. */
  stale: boolean;
}
