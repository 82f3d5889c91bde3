/** JSON on its way into the record: checked for what a column cannot hold, before anything is written. */
import type { z } from "zod";
import type { JobType } from "./define.ts";
import { PayloadError } from "./define.ts";

/** The most that one payload, result or progress may take, in bytes of UTF-8. */
export const MAX_PAYLOAD_BYTES = 1_048_576;

/** How deep a payload may be nested. A request body goes to 32; SQLite reads 1,000 levels, PostgreSQL and JavaScript some thousands. */
export const MAX_DEPTH = 100;

/** The first of a list that one statement carries: so many, and no more text than the largest payload, but one in any case. */
export function firstOf<T>(list: readonly T[], most: number, textOf: (item: T) => string | null): T[] {
  let length = 0;
  let count = 0;
  while (count < most && count < list.length) {
    length += textOf(list[count] as T)?.length ?? 0;
    if (count > 0 && length > MAX_PAYLOAD_BYTES) break;
    count++;
  }
  return list.slice(0, count);
}

/** PostgreSQL's jsonb takes neither the character 0 nor half of a surrogate pair, which `JSON.stringify` writes as escapes. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/;

/** The text of a value, or why it cannot be kept. It does not throw. */
export function encode(value: unknown): { text: string } | { fault: string; cause?: unknown } {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    // The stack ended before the value did, or there is a cycle, a BigInt or a `toJSON` that throws.
    return cause instanceof RangeError ? { fault: TOO_DEEP } : { fault: "JSON cannot express it", cause };
  }
  if (text === undefined) return { fault: "it is not JSON" };
  if (text.length * 3 > MAX_PAYLOAD_BYTES && new TextEncoder().encode(text).length > MAX_PAYLOAD_BYTES)
    return { fault: `it is larger than ${MAX_PAYLOAD_BYTES} bytes` };
  if (text.includes("\\u") && UNSTORABLE.test(text)) return { fault: "it holds a character that cannot be stored" };
  return { text };
}

const TOO_DEEP = `it is nested deeper than ${MAX_DEPTH} levels`;

/** What is read from JSON ends somewhere. */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) return value.some((item) => isDeeper(item, levels - 1));
  for (const key in value) if (isDeeper((value as Record<string, unknown>)[key], levels - 1)) return true;
  return false;
}

export interface Payload<In extends z.ZodType> {
  /** What is stored: the input as it was given, so that the schema's own changes are made once, when it runs. */
  text: string;
  /** What the handler will get. */
  parsed: z.output<In>;
}

/** Throws a PayloadError. What is checked is what will be read back, so a value that JSON changes (a Date, a Map) is seen here. */
export function toPayload<In extends z.ZodType, Out extends z.ZodType>(
  type: JobType<In, Out>,
  input: z.input<In>,
): Payload<In> {
  const encoded = encode(input);
  if ("fault" in encoded) throw refused(type.name, encoded.fault, encoded.cause);
  const { text } = encoded;
  const value = read(text);
  if (value === undefined) throw refused(type.name, TOO_DEEP);
  const parsed = type.input.safeParse(value);
  if (!parsed.success) throw refused(type.name, faultsOf(parsed.error));
  return { text, parsed: parsed.data };
}

const refused = (name: string, fault: string, cause?: unknown) =>
  new PayloadError(`The payload of ${name} is refused: ${fault}.`, cause === undefined ? {} : { cause });

/** undefined: it is nested too deep. Each level takes two characters, so most are not looked at. */
function read(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return text.length > 2 * MAX_DEPTH && isDeeper(value, MAX_DEPTH) ? undefined : value;
  } catch {
    // It was just printed: what can end is the stack.
    return undefined;
  }
}

/** Where, and what was expected; never the value. */
export const faultsOf = (error: z.ZodError): string =>
  error.issues.map(({ path, message }) => `/${path.join("/")} ${message}`).join("; ");
