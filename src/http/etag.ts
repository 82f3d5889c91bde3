/** Conditional requests (RFC 9110, 13). */
import { AppError } from "../core/error.ts";
import type { IfMatch } from "../core/version.ts";

const TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/;

function tags(header: string): readonly string[] | "*" {
  if (header.trim() === "*") return "*";
  const list = header.split(",").map((tag) => tag.trim());
  if (!list.every((tag) => TAG.test(tag))) {
    throw new AppError("malformed_request", { detail: "An entity tag is a quoted string." });
  }
  return list;
}

/** Weak tags never match here: the comparison is strong (RFC 9110, 13.1.1). */
export const ifMatchOf = (header: string | undefined): IfMatch => (header === undefined ? null : tags(header));

/** Whether the client has this representation already. The comparison is weak (RFC 9110, 13.1.2). */
export function notModified(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  const list = tags(header);
  const opaque = (tag: string) => tag.replace(/^W\//, "");
  return list === "*" || list.some((tag) => opaque(tag) === opaque(etag));
}

/**
 * A weak tag of a text, for answers that have no version of their own: 53 bits of a fast hash (cyrb53, public domain). It tells changes
 * apart and protects nothing.
 */
export function textTag(text: string): string {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return `W/"${(4294967296 * (2097151 & b) + (a >>> 0)).toString(36)}"`;
}
