/** Workers KV: read fast everywhere, written slowly. A write is seen in other places after up to a minute, and keys expire after one at the soonest. */
import kvDriver, { type KVOptions } from "unstorage/drivers/cloudflare-kv-binding";
import type { CacheStore } from "./port.ts";
import { createTexts } from "./texts.ts";

/** What is used of a KV binding. */
export interface KvNamespace {
  get(key: string): Promise<string | null>;
  put(key: string, value: string, options?: { expirationTtl?: number }): Promise<void>;
  delete(key: string): Promise<void>;
}

export const createKvStore = ({ kv }: { kv: KvNamespace }): CacheStore =>
  // The driver calls these three and `list`, which nothing here needs.
  createTexts(kvDriver({ binding: kv as unknown as Exclude<KVOptions["binding"], string | undefined> }));
