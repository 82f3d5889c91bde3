/**
 * Workers KV: read fast everywhere, written slowly. A write is seen in other places after up to a minute, keys expire after one at the soonest,
 * and a key takes one write a second.
 */
import kvDriver, { type KVOptions } from "unstorage/drivers/cloudflare-kv-binding";
import { type CacheStore, WrittenJustNow } from "./port.ts";
import { createTexts } from "./texts.ts";

/** What is used of a KV binding. */
export interface KvNamespace {
  get(key: string): Promise<string | null>;
  put(key: string, value: string, options?: { expirationTtl?: number }): Promise<void>;
  delete(key: string): Promise<void>;
}

/** It says so with these words alone. */
function refused(error: unknown): never {
  throw String(error).includes("429 Too Many Requests") ? new WrittenJustNow(String(error)) : error;
}

export function createKvStore({ kv }: { kv: KvNamespace }): CacheStore {
  const binding: KvNamespace = {
    get: (key) => kv.get(key),
    put: (key, value, options) => kv.put(key, value, options).catch(refused),
    delete: (key) => kv.delete(key).catch(refused),
  };
  // The driver calls these three and `list`, which nothing here needs.
  return createTexts(kvDriver({ binding: binding as unknown as Exclude<KVOptions["binding"], string | undefined> }));
}
