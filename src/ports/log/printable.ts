/** Texts for a terminal: what would move the cursor, set colours, ring, break the line or reverse the direction is shown, not done. */
import type { Plain } from "./clean.ts";

// C0 and C1 controls, DEL, line and paragraph separators, and the marks that change the direction of text.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

const show = (c: string): string =>
  c === "\n" ? "\\n" : c === "\r" ? "\\r" : c === "\t" ? "\\t" : `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;

export const printable = (text: string): string => text.replace(CONTROL, show);

/** All texts and names in the value. A stack keeps its own line breaks. */
export function printableFields(fields: Plain): Plain {
  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [printable(key), deep(value, key === "stack")]),
  );
}

function deep(value: unknown, lines: boolean): unknown {
  if (typeof value === "string") return lines ? value.split("\n").map(printable).join("\n") : printable(value);
  if (Array.isArray(value)) return value.map((item) => deep(item, false));
  return value !== null && typeof value === "object" ? printableFields(value as Plain) : value;
}
