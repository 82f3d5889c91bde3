/** Reading a body: bounded, UTF-8, JSON, and without the values that later stages choke on. */
import { AppError, type InputFault } from "../core/error.ts";
import type { HttpContext } from "./facts.ts";

const MAX_DEPTH = 32;
const MAX_FAULTS = 20;

const malformed = (detail: string, cause?: unknown) => new AppError("malformed_request", { detail, cause });
const tooLarge = (limit: number) =>
  new AppError("payload_too_large", {
    detail: `The body is larger than ${limit} bytes.`,
    headers: { connection: "close" },
  });

/** Refuses a body by its declared length before a byte of it is read. */
export function assertLength(c: HttpContext, limit: number): void {
  const length = c.req.raw.headers.get("content-length");
  if (length !== null && Number(length) > limit) throw tooLarge(limit);
}

/** The body as bytes. One of undeclared length is counted as it comes. */
async function readBytes(c: HttpContext, limit: number): Promise<Uint8Array> {
  try {
    return await collect(c, limit);
  } catch (error) {
    // A framing that breaks off, or a client that went away.
    throw error instanceof AppError ? error : malformed("The body could not be read to its end.", error);
  }
}

async function collect(c: HttpContext, limit: number): Promise<Uint8Array> {
  assertLength(c, limit);
  const request = c.req.raw;
  if (request.headers.has("content-length") || request.body === null)
    return new Uint8Array(await request.arrayBuffer());
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;\s*charset=(?:"utf-8"|utf-8)\s*)?$/i;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The JSON value of a body, with its bytes. Throws 415, 413, 400, or 422 for values that no text column can hold. */
export async function readJson(c: HttpContext, limit: number): Promise<{ value: unknown; bytes: Uint8Array }> {
  const { headers } = c.req.raw;
  const type = headers.get("content-type");
  if (type === null || !JSON_TYPE.test(type)) {
    throw new AppError("unsupported_media_type", { headers: { accept: "application/json" } });
  }
  const encoding = headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity") throw new AppError("unsupported_media_type");
  const bytes = await readBytes(c, limit);
  if (bytes.byteLength === 0) throw malformed("The body is empty; a JSON document is expected.");
  const value = parse(bytes);
  const faults = walk(value);
  if (faults.length > 0) throw new AppError("invalid_input", { errors: faults });
  return { value, bytes };
}

function parse(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (cause) {
    throw malformed("The body is not valid UTF-8.", cause);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed("The body is not valid JSON.", cause);
  }
}

/**
 * One walk, without recursion, over what JSON can say and a database or an object cannot hold: NUL and lone surrogates in text (PostgreSQL
 * refuses the first and would store another character for the second), `__proto__` as a key, and nesting without end.
 */
function walk(root: unknown): InputFault[] {
  const faults: InputFault[] = [];
  const fault = (pointer: string, detail: string) => {
    if (faults.length < MAX_FAULTS) faults.push({ in: "body", pointer, detail });
  };
  const stack: { value: unknown; path: string; depth: number }[] = [{ value: root, path: "", depth: 0 }];
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    const { value, path, depth } = item;
    if (typeof value === "string" && !storable(value)) fault(path, "has characters that are not text");
    if (typeof value !== "object" || value === null) continue;
    if (depth >= MAX_DEPTH) throw malformed(`The body is nested deeper than ${MAX_DEPTH} levels.`);
    for (const key of Object.keys(value)) {
      const below = `${path}/${escapePointer(key)}`;
      if (key === "__proto__") fault(below, "is not a name that can be used");
      else stack.push({ value: (value as Record<string, unknown>)[key], path: below, depth: depth + 1 });
    }
  }
  return faults;
}

/** Whether every engine stores this text as it is. */
export const storable = (text: string): boolean => !text.includes("\u0000") && text.isWellFormed();

const MAX_KEY = 64;
/** RFC 6901: `~` and `/` are escaped. A key comes from the client: it is cut, and what cannot be sent back is replaced. */
export const escapePointer = (key: string): string =>
  key.slice(0, MAX_KEY).toWellFormed().replaceAll("~", "~0").replaceAll("/", "~1");
