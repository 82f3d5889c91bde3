/** Seals as objects of an R2 bucket that a Worker is bound to. */
import { sealObject } from "./object.ts";
import type { Anchor } from "./port.ts";

/** What is used of the binding. Null: the condition did not hold, and nothing was written. */
export interface R2Bucket {
  put(
    key: string,
    value: string,
    options: { onlyIf: Headers; httpMetadata: { contentType: string } },
  ): Promise<object | null>;
}

export const createR2Anchor = (bucket: R2Bucket): Anchor => ({
  name: "r2:SEALS",
  async put(jws) {
    const { name, body, contentType } = sealObject(jws);
    // What has this name already is this seal.
    await bucket.put(name, body, { onlyIf: new Headers({ "if-none-match": "*" }), httpMetadata: { contentType } });
  },
});
