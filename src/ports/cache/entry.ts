/** A kept value: its times, its tags, and the text that it becomes in a store. */
import { sha256Hex } from "../../core/hash.ts";

export interface Entry {
  /** Deeply frozen. */
  readonly value: unknown;
  readonly madeAt: number;
  /** In milliseconds since the epoch: current until, answered at once until, kept until. */
  readonly freshUntil: number;
  readonly staleUntil: number;
  readonly keptUntil: number;
  readonly tags: readonly string[];
  /** Of each tag, before the value was begun to be made. */
  readonly versions: readonly string[];
  /** About what it takes in memory, in bytes. */
  readonly bytes: number;
}

/**
 * Not JSON, so that unstorage leaves it a text: of a text that looks like JSON it makes numbers, booleans and objects. It also says which
 * format follows; texts of another one count as absent.
 */
const FORMAT = "hearth1";

/** The memory that an entry takes beside its text: object, list links, map slot, key (measured on Bun: 300 to 400 bytes). */
const OVERHEAD = 400;

/** The JSON of a value. Throws a TypeError for what has none. */
export function jsonOf(value: unknown): string {
  const json = JSON.stringify(value);
  if (json === undefined) throw new TypeError("a cached value is JSON; functions, symbols and undefined are not");
  return json;
}

type Times = Pick<Entry, "madeAt" | "freshUntil" | "staleUntil" | "keptUntil" | "tags" | "versions">;

export const entryOf = (json: string, times: Times): Entry => ({
  ...times,
  value: frozen(JSON.parse(json)),
  // A character is stored in one or two bytes, and objects take about twice the text of their JSON.
  bytes: OVERHEAD + 2 * json.length,
});

export const encode = (json: string, { madeAt, freshUntil, staleUntil, keptUntil, tags, versions }: Times): string =>
  `${FORMAT}[${JSON.stringify([madeAt, freshUntil, staleUntil, keptUntil, tags, versions])},${json}]`;

/** Null for a text that is not one of ours. */
export function decode(text: string | null): Entry | null {
  if (text === null || !text.startsWith(FORMAT)) return null;
  try {
    const [[madeAt, freshUntil, staleUntil, keptUntil, tags, versions], value] = JSON.parse(text.slice(FORMAT.length));
    const bytes = OVERHEAD + 2 * text.length;
    return { value: frozen(value), madeAt, freshUntil, staleUntil, keptUntil, tags, versions, bytes };
  } catch {
    return null;
  }
}

function frozen(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}

const MAX_NAME = 400;

/** Names that are longer than stores and messages take end in a digest of the whole. */
export const bounded = (name: string): string =>
  name.length <= MAX_NAME ? name : `${name.slice(0, MAX_NAME - 65)}#${sha256Hex(name)}`;
