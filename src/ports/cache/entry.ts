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

/** The memory that an entry takes beside its value: object, list links, map slot, key (measured on Bun: 300 to 400 bytes). */
const OVERHEAD = 400;
/**
 * That of a frozen array, of each of its places, and of an object. Measured on Bun: 208 bytes for an array of one to five numbers, 4,176 for
 * a hundred, 32,848 for a thousand; 64 for an object of up to six members, 96 for ten. On Node 24 an array of two numbers takes 64, one of a
 * hundred 848, an object of two members 40: there more is counted than is taken.
 */
const ARRAY = 100;
const PLACE = 40;
const OBJECT = 64;
/** That of a tag beside its text: its version, their places, and what is remembered of it. */
const TAG = 150;

/** The JSON of a value. Throws a TypeError for what has none. */
export function jsonOf(value: unknown): string {
  const json = JSON.stringify(value);
  if (json === undefined) throw new TypeError("a cached value is JSON; functions, symbols and undefined are not");
  return json;
}

type Times = Pick<Entry, "madeAt" | "freshUntil" | "staleUntil" | "keptUntil" | "tags" | "versions">;

export const entryOf = (json: string, times: Times): Entry => ({
  ...times,
  ...frozen(JSON.parse(json), json.length, times.tags),
});

export const encode = (json: string, { madeAt, freshUntil, staleUntil, keptUntil, tags, versions }: Times): string =>
  `${FORMAT}[${JSON.stringify([madeAt, freshUntil, staleUntil, keptUntil, tags, versions])},${json}]`;

/** Null for a text that is not one of ours. */
export function decode(text: string | null): Entry | null {
  if (text === null || !text.startsWith(FORMAT)) return null;
  try {
    const [[madeAt, freshUntil, staleUntil, keptUntil, tags, versions], value] = JSON.parse(text.slice(FORMAT.length));
    const times = { madeAt, freshUntil, staleUntil, keptUntil, tags, versions };
    return { ...times, ...frozen(value, text.length, tags) };
  } catch {
    return null;
  }
}

function frozen(value: unknown, length: number, tags: readonly string[]): Pick<Entry, "value" | "bytes"> {
  // A character is stored in one or two bytes.
  let bytes = OVERHEAD + 2 * length + freeze(value);
  for (const tag of tags) bytes += TAG + 2 * tag.length;
  return { value, bytes };
}

/** Freezes it deeply, and answers about what it takes beside its texts, in bytes. */
function freeze(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  let bytes = Array.isArray(value) ? ARRAY + PLACE * value.length : OBJECT;
  for (const part of Object.values(value)) bytes += freeze(part);
  Object.freeze(value);
  return bytes;
}

const MAX_NAME = 400;
const HEAD = MAX_NAME - 65;

/**
 * Names that are longer than stores and messages take end in a digest of the whole. So do those that are no Unicode (half of a surrogate pair),
 * which become one and the same in UTF-8; their digest is that of their JSON, which writes each half as it is. No name is what another one
 * becomes, because names as long as that are given a digest too.
 */
export function bounded(name: string): string {
  const sound = name.isWellFormed();
  if (sound && name.length < MAX_NAME) return name;
  const head = name.slice(0, HEAD).toWellFormed().padEnd(HEAD);
  return `${head}${sound ? "#" : "~"}${sha256Hex(sound ? name : JSON.stringify(name))}`;
}
