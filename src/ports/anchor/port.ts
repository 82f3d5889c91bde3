/**
 * Anchors: where seals of the audit trail are kept besides the database, so that whoever can write to the database cannot take back what was
 * sealed. One that cannot be written over from here is worth more: a bucket with a retention lock, another company's inbox, a printer.
 *
 * An anchor is given the newest seal, which stands for all before it. It may get one twice, and not every one.
 */
export interface Anchor {
  /** For a person and the log; unique among those that are configured, and without a secret. */
  readonly name: string;
  /** Keeps a seal: a compact JWS. Resolves when it is kept. Throws when that is not certain: it is tried again. */
  put(jws: string): Promise<void>;
}
