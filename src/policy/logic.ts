/**
 * What SQL asks of a row, in as few comparisons as say the same. A comparison may be unknown (SQL's NULL) where the row's value is NULL;
 * unknown counts as false, also under `not`, so that every identity of two-valued logic holds.
 */
import type { Column } from "drizzle-orm/column";

export type Test = boolean | Part;
export type Part = Compound | Negation | Atom;
type Kind = "and" | "or";
type Atom = Comparison | Membership | Absence;

interface Compound {
  is: Kind;
  parts: Part[];
}
interface Negation {
  is: "not";
  part: Part;
}
export interface Comparison {
  is: "=" | "<" | "<=" | ">" | ">=";
  operand: Operand;
  value: unknown;
}
interface Membership {
  is: "in";
  operand: Operand;
  values: unknown[];
}
interface Absence {
  is: "null";
  operand: Operand;
}

export interface Operand {
  field: string;
  column: Column;
  kind: ValueKind;
}

/** How a column's values compare: the kinds of the column kit, but json, which has no order and several equalities. */
export type ValueKind = "text" | "int" | "bool" | "instant";

export const all = (tests: readonly Test[]): Test => combine("and", tests);
export const any = (tests: readonly Test[]): Test => combine("or", tests);

export function negate(test: Test): Test {
  if (typeof test === "boolean") return !test;
  return test.is === "not" ? test.part : { is: "not", part: test };
}

/** One of the values; none of them, never. */
export function among(operand: Operand, values: readonly unknown[]): Test {
  const distinct = [...new Set(values)];
  if (distinct.length > 1) return { is: "in", operand, values: distinct };
  return distinct.length === 1 && { is: "=", operand, value: distinct[0] };
}

const other: Readonly<Record<Kind, Kind>> = { and: "or", or: "and" };
/** Those that decide soonest first: they are asked in this order, up to the first one that decides. */
const places: Readonly<Record<Kind, Readonly<Record<Part["is"], number>>>> = {
  and: { "=": 0, null: 1, "<": 2, "<=": 2, ">": 2, ">=": 2, in: 3, not: 4, and: 5, or: 5 },
  or: { null: 0, "<": 1, "<=": 1, ">": 1, ">=": 1, "=": 2, in: 3, not: 4, and: 5, or: 5 },
};

function combine(kind: Kind, tests: readonly Test[]): Test {
  const decisive = kind === "or";
  const parts: Part[] = [];
  for (const test of tests) {
    if (test === decisive) return decisive;
    if (typeof test === "boolean") continue;
    if (test.is === kind) parts.push(...test.parts);
    else parts.push(test);
  }
  if (parts.length < 2) return parts[0] ?? !decisive;
  if (kind === "and" && contradict(parts)) return false;
  return withOneNegation(kind, parts) ?? withShared(kind, parts) ?? compound(kind, parts);
}

/** `a = 1 and a = 2` never holds; nor does anything refuse `a` for being neither: `a <> 1 or a <> 2` always holds. */
function contradict(parts: readonly Part[]): boolean {
  const equal = parts.filter((part): part is Comparison => part.is === "=");
  return equal.some((one, i) =>
    equal.some((other, j) => j > i && one.operand.field === other.operand.field && one.value !== other.value),
  );
}

/** `not a and not b` is `not (a or b)`: negations are the rules that refuse, and mostly look at the same columns. */
function withOneNegation(kind: Kind, parts: readonly Part[]): Test | null {
  const negations = parts.filter((part) => part.is === "not");
  if (negations.length < 2) return null;
  const negated = combine(
    other[kind],
    negations.map(({ part }) => part),
  );
  return combine(kind, [...parts.filter((part) => part.is !== "not"), negate(negated)]);
}

/** `(a and b) or (a and c)` is `a and (b or c)`, for the one that most of them share; `a or (a and b)` is `a`. Each step leaves fewer. */
function withShared(kind: Kind, parts: readonly Part[]): Test | null {
  if (!parts.some((part) => part.is === other[kind])) return null;
  const shared = mostShared(parts.flatMap((part) => innerOf(kind, part)));
  if (!shared) return null;
  const [having, rest]: [Test[], Part[]] = [[], []];
  for (const part of parts) {
    const inner = innerOf(kind, part);
    const without = inner.filter((one) => !same(one, shared));
    if (without.length === inner.length) rest.push(part);
    else having.push(combine(other[kind], without));
  }
  return combine(kind, [...rest, combine(other[kind], [shared, combine(kind, having)])]);
}

const innerOf = (kind: Kind, part: Part): readonly Part[] =>
  part.is === other[kind] ? (part as Compound).parts : [part];

/** The comparison that is there most often, if one is there twice. */
function mostShared(parts: readonly Part[]): Part | null {
  const counts = new Map<unknown, { part: Part; count: number }[]>();
  let [shared, most]: [Part | null, number] = [null, 1];
  for (const part of parts) {
    if (!("operand" in part) || part.is === "in") continue;
    const value = part.is === "null" ? null : part.value;
    const alike = counts.get(value);
    if (!alike) {
      counts.set(value, [{ part, count: 1 }]);
      continue;
    }
    const known = alike.find((one) => same(one.part, part));
    if (!known) alike.push({ part, count: 1 });
    else if (++known.count > most) [shared, most] = [part, known.count];
  }
  return shared;
}

/** Whether they are the same comparison. Lists, and what is made of several, are taken for themselves alone. */
const same = (a: Part, b: Part): boolean =>
  a === b ||
  ("operand" in a &&
    "operand" in b &&
    a.is === b.is &&
    a.is !== "in" &&
    a.operand.field === b.operand.field &&
    (a as Partial<Comparison>).value === (b as Partial<Comparison>).value);

function compound(kind: Kind, parts: readonly Part[]): Part {
  const fewer = kind === "or" ? withOneList(parts) : [...parts];
  if (fewer.length === 1) return fewer[0] as Part;
  const place = places[kind];
  return { is: kind, parts: fewer.sort((a, b) => place[a.is] - place[b.is]) };
}

const isEquality = (part: Part): part is Membership | Comparison => part.is === "=" || part.is === "in";

/** `a = 1 or a in (2, 3)` is `a in (1, 2, 3)`. */
function withOneList(parts: readonly Part[]): Part[] {
  if (parts.filter(isEquality).length < 2) return [...parts];
  const lists = new Map<string, { operand: Operand; values: unknown[] }>();
  const rest: Part[] = [];
  for (const part of parts) {
    if (!isEquality(part)) {
      rest.push(part);
      continue;
    }
    const { operand } = part;
    const values = part.is === "in" ? part.values : [part.value];
    const known = lists.get(operand.field);
    if (known) known.values.push(...values);
    else lists.set(operand.field, { operand, values: [...values] });
  }
  return [...rest, ...[...lists.values()].map(({ operand, values }) => among(operand, values) as Part)];
}
