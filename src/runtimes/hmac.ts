import { createHmac } from "node:crypto";
import type { Hmac } from "../core/hmac.ts";

/** Of Node and of Workers. */
export const nodeHmac: Hmac = (key) => (text) => createHmac("sha256", key).update(text).digest();
