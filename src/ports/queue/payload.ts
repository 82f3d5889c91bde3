/** JSON on its way into the record: checked for what a column cannot hold, before anything is written. */
import type { z } from "zod";
import type { JobType } from "./define.ts";
import { PayloadError } from "./define.ts";

/** The most that one payload, result or progress may take, in bytes of UTF-8. */
export const MAX_PAYLOAD_BYTES = 1_048_576;

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

/** The text of a value, or why it cannot be kept. */
export function encode(value: unknown): { text: string } | { fault: string } {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) return { fault: "it is not JSON" };
  if (text.length * 3 > MAX_PAYLOAD_BYTES && new TextEncoder().encode(text).length > MAX_PAYLOAD_BYTES)
    return { fault: `it is larger than ${MAX_PAYLOAD_BYTES} bytes` };
  if (text.includes("\\u") && UNSTORABLE.test(text)) return { fault: "it holds a character that cannot be stored" };
  return { text };
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
  if ("fault" in encoded) throw new PayloadError(`The payload of ${type.name} is refused: ${encoded.fault}.`);
  const parsed = type.input.safeParse(JSON.parse(encoded.text));
  if (!parsed.success) throw new PayloadError(`The payload of ${type.name} is refused: ${faultsOf(parsed.error)}.`);
  return { text: encoded.text, parsed: parsed.data };
}

/** Where, and what was expected; never the value. */
export const faultsOf = (error: z.ZodError): string =>
  error.issues.map(({ path, message }) => `/${path.join("/")} ${message}`).join("; ");
