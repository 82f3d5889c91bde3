import { createHmac, createSecretKey } from "node:crypto";
import type { Hmac } from "../core/hmac.ts";

/** Of Node and of Workers. The key is made once: `createHmac` takes 4 µs with it, and 15 with its bytes, of which Node makes one each time. */
export const nodeHmac: Hmac = (bytes) => {
  const key = createSecretKey(bytes);
  return (text) => createHmac("sha256", key).update(text).digest();
};
