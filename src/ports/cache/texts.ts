/** What unstorage's drivers have in common here: texts under keys that no driver changes. */
import { createStorage, type Driver } from "unstorage";
import { sha256Hex } from "../../core/hash.ts";
import type { CacheStore } from "./port.ts";

/** KV takes 512 bytes, prefix included. */
const MAX_KEY = 450;

/**
 * unstorage makes one key of `a/b`, `a:b` and `a::b`, cuts keys at `?`, and refuses dots between colons; so keys are encoded to what it
 * leaves alone. The letter before them keeps a key of dots from being one. Keys of the manager are well-formed.
 */
export function encodedKey(key: string): string {
  const encoded = `k${encodeURIComponent(key.toWellFormed())}`;
  return encoded.length <= MAX_KEY ? encoded : `k${sha256Hex(key)}`;
}

/** Drivers take seconds. Time itself is kept by the manager: this is only for what nobody asks for any more to go. */
const seconds = (keepMs: number) => ({ ttl: Math.max(1, Math.ceil(keepMs / 1000)) });

/** A store over a driver that keeps texts and expires them. Without an atomic operation: `add` may let the later of two win. */
export function createTexts(driver: Driver): CacheStore {
  const storage = createStorage<string>({ driver });
  const texts: CacheStore = {
    async read(keys) {
      const items = await storage.getItems<string>(keys.map(encodedKey));
      return items.map(({ value }) => value);
    },
    write: (key, text, keepMs) => storage.setItem(encodedKey(key), text, seconds(keepMs)),
    async add(key, text, keepMs) {
      const [there] = await texts.read([key]);
      if (there) return there;
      await texts.write(key, text, keepMs);
      return text;
    },
    async remove(keys) {
      await Promise.all(keys.map((key) => storage.removeItem(encodedKey(key))));
    },
    close: () => storage.dispose(),
  };
  return texts;
}
