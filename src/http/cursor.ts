/**
 * Cursors: the position after which the next page starts, bound to the list that it was made for. The tag (HMAC-SHA-256, 96 bits) makes a
 * changed or foreign cursor an error instead of a wrong page; what a row may be seen is decided elsewhere and does not rest on it.
 */
import { base64url } from "jose";
import type { Hmac } from "../core/hmac.ts";
import type { ListInput, Position } from "../core/page.ts";

export interface CursorCodec {
  encode(position: Position, scope: string): string;
  /** Null when the cursor was not made by `encode` with this scope. */
  decode(cursor: string, scope: string): Position | null;
}

const TAG_BYTES = 12;

/** What a cursor belongs to: the same path, order and filters. The limit and the fields may change from page to page. */
export const scopeOf = (path: string, { sort, filters }: ListInput): string => JSON.stringify([path, sort, filters]);

export function cursorCodec(mac: ReturnType<Hmac>): CursorCodec {
  const bytes = new TextEncoder();
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  const tagOf = (text: string, scope: string) => mac(`${text}\n${scope}`).subarray(0, TAG_BYTES);

  return {
    encode({ value, id }, scope) {
      const text = JSON.stringify([value, id]);
      const tag = tagOf(text, scope);
      const body = bytes.encode(text);
      const all = new Uint8Array(TAG_BYTES + body.length);
      all.set(tag);
      all.set(body, TAG_BYTES);
      return base64url.encode(all);
    },
    decode(cursor, scope) {
      try {
        const all = base64url.decode(cursor);
        const text = utf8.decode(all.subarray(TAG_BYTES));
        const tag = tagOf(text, scope);
        if (all.length <= TAG_BYTES || !tag.every((byte, i) => byte === all[i])) return null;
        const [value, id] = JSON.parse(text) as [string, string];
        return { value, id };
      } catch {
        return null;
      }
    },
  };
}
