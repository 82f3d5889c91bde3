/** From whatever a caller logs to plain JSON values, without secrets and without end. */
import { Secret } from "../../core/secret.ts";
import { faultLine } from "./fault.ts";
import { isSecretName, REDACTED, scrub } from "./redact.ts";

/** Of one text, and of all texts of a line together. */
const MAX_BYTES = 8 * 1024;
const MAX_LINE_BYTES = 64 * 1024;
const MAX_DEPTH = 8;
/** Of one object or array, and of a whole line. */
const MAX_ENTRIES = 100;
const MAX_VALUES = 1_000;

/** Names that a line has already; a field with one of them is kept under the name with `_` after it. */
const RESERVED = new Set(["level", "time", "msg"]);

export type Plain = Record<string, unknown>;

interface Walk {
  /** How many more values, and bytes of text, the line takes. */
  left: number;
  room: number;
  /** The objects that contain the one at hand: only these make a circle. */
  above: Set<object>;
}

/** The fields of a line. Never throws. */
export function clean(fields: object): Plain {
  const walk: Walk = { left: MAX_VALUES, room: MAX_LINE_BYTES, above: new Set() };
  // An error in the place of the fields is what callers mean by `err`.
  const plain = fields instanceof Error ? { err: value(fields, walk) } : value(fields, walk);
  if (plain === null || typeof plain !== "object" || Array.isArray(plain)) return { value: plain };
  for (const name of RESERVED) {
    if (!(name in plain)) continue;
    (plain as Plain)[`${name}_`] = (plain as Plain)[name];
    delete (plain as Plain)[name];
  }
  return plain as Plain;
}

const encoder = new TextEncoder();
const buffer = new Uint8Array(MAX_BYTES);

/** A text as it is logged: at most `max` bytes of UTF-8, without credentials. */
export function cleanText(text: string, max = MAX_BYTES): string {
  if (text.length * 3 <= max) return scrub(text);
  // Scrubbed before it is cut, so that no credential loses the end by which it is known; twice the length leaves none across the edge.
  const scrubbed = scrub(text.slice(0, 2 * MAX_BYTES));
  const { read } = encoder.encodeInto(scrubbed, max < MAX_BYTES ? buffer.subarray(0, max) : buffer);
  if (read === scrubbed.length && text.length <= 2 * MAX_BYTES) return scrubbed;
  return `${scrubbed.slice(0, read)}… [cut from ${text.length}]`;
}

function texts(walk: Walk): (text: string) => string {
  return (text) => {
    const shown = cleanText(text, Math.max(0, Math.min(MAX_BYTES, walk.room)));
    walk.room -= shown.length;
    return shown;
  };
}

function value(input: unknown, walk: Walk): unknown {
  switch (typeof input) {
    case "string":
      return texts(walk)(input);
    case "boolean":
      return input;
    case "number":
      return Number.isFinite(input) ? input : String(input);
    case "bigint":
      return input.toString();
    case "object":
      return input === null ? null : object(input, walk);
    default:
      // undefined, functions and symbols are left out, as JSON.stringify does.
      return undefined;
  }
}

function object(input: object, walk: Walk): unknown {
  if (walk.above.has(input)) return "[circular]";
  if (walk.above.size >= MAX_DEPTH) return Array.isArray(input) ? "[array]" : "[object]";
  walk.above.add(input);
  try {
    return inner(input, walk);
  } catch {
    // A getter, a proxy or a toJSON that throws.
    return "[unreadable]";
  } finally {
    walk.above.delete(input);
  }
}

function inner(input: object, walk: Walk): unknown {
  if (input instanceof Secret) return "[secret]";
  if (input instanceof Error) return faultLine(input, texts(walk), (cause) => value(cause, walk));
  if (input instanceof Date) return Number.isNaN(input.getTime()) ? "[invalid date]" : input.toISOString();
  if (input instanceof URL || input instanceof RegExp) return texts(walk)(String(input));
  if (ArrayBuffer.isView(input) || input instanceof ArrayBuffer) return `[${input.byteLength} bytes]`;
  if (Array.isArray(input)) return list(input, input.length, walk);
  if (input instanceof Set) return list(input, input.size, walk);
  if (input instanceof Map || input instanceof Headers || input instanceof URLSearchParams) return record(input, walk);
  const { toJSON } = input as { toJSON?: unknown };
  if (typeof toJSON === "function") return value(toJSON.call(input), walk);
  return record(Object.entries(input), walk);
}

function list(items: Iterable<unknown>, size: number, walk: Walk): unknown[] {
  const plain: unknown[] = [];
  for (const item of items) {
    if (plain.length === MAX_ENTRIES || walk.left-- <= 0) {
      plain.push(`[${size - plain.length} more]`);
      break;
    }
    plain.push(value(item, walk) ?? null);
  }
  return plain;
}

function record(entries: Iterable<readonly [unknown, unknown]>, walk: Walk): Plain {
  const plain: Plain = {};
  let count = 0;
  for (const [key, raw] of entries) {
    if (count++ === MAX_ENTRIES || walk.left-- <= 0) {
      plain["…"] = "[more]";
      break;
    }
    const name = String(key).slice(0, 128);
    // Whether there is one is no secret: `hasPassword: true`, `token: null`.
    const open = raw === null || raw === undefined || typeof raw === "boolean" || raw instanceof Secret;
    const shown = !open && isSecretName(name) ? REDACTED : value(raw, walk);
    if (shown !== undefined)
      Object.defineProperty(plain, name, { value: shown, enumerable: true, writable: true, configurable: true });
  }
  return plain;
}
