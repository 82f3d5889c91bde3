/**
 * What `judge` says of a row, for many rows: rules in a row to the same effect are asked together, and of those that want a field to have a
 * certain value only the ones that want the row's are asked at all. 20 rules about names are one look into a map, and no comparison.
 */
import { CompoundCondition, type Condition, FieldCondition } from "@ucast/mongo2js";
import type { Rule } from "./ability.ts";
import { compare, type Fits, matcherOf } from "./match.ts";
import type { Row } from "./may.ts";
import { remember } from "./remember.ts";

/** The rules strongest first, as `judge` takes them, made once for all rows. */
export function deciderOf(rules: readonly Rule[]): (row: Row) => boolean {
  const last = rules.findIndex(({ ast }) => !ast);
  const asked = last === -1 ? rules : rules.slice(0, last);
  const otherwise = last !== -1 && !(rules[last] as Rule).inverted;
  const runs: { allows: boolean; fits: Fits }[] = [];
  for (let from = 0, to = 0; from < asked.length; from = to) {
    const { inverted } = asked[from] as Rule;
    while (asked[to]?.inverted === inverted) to++;
    runs.push({ allows: !inverted, fits: anyOf(asked.slice(from, to).map(({ ast }) => ast as Condition)) });
  }
  // The weakest of them to the same effect as what holds otherwise change nothing.
  while (runs.at(-1)?.allows === otherwise) runs.pop();
  return (row) => {
    for (const { allows, fits } of runs) if (fits(row)) return allows;
    return otherwise;
  };
}

/** The conditions that want one of these values of one field, and what each wants beside it. */
interface Index {
  field: string;
  /** A value of the kind that all have. */
  sample: unknown;
  byValue: Map<unknown, Fits[]>;
}

function anyOf(conditions: readonly Condition[]): Fits {
  const indexes = new Map<string, Index>();
  const others: Fits[] = [];
  for (const condition of conditions) {
    const parts = partsOf(condition);
    const wanted = parts.find(isEquality);
    if (!wanted) {
      others.push(matcherOf(condition));
      continue;
    }
    const rest = parts.filter((part) => part !== wanted).map(matcherOf);
    const fits = rest.length === 1 ? (rest[0] as Fits) : (row: Row) => rest.every((one) => one(row));
    const { field } = wanted;
    for (const value of valuesOf(wanted)) {
      const start = (): Index => ({ field, sample: value, byValue: new Map() });
      const { byValue } = remember(indexes, `${typeof value} ${field}`, start);
      remember(byValue, value, (): Fits[] => []).push(fits);
    }
  }
  const all = [...indexes.values()];
  return (row) => {
    for (const { field, sample, byValue } of all) {
      const value = row[field];
      const found = byValue.get(value);
      if (found === undefined) compare(value, sample);
      else for (const fits of found) if (fits(row)) return true;
    }
    for (const fits of others) if (fits(row)) return true;
    return false;
  };
}

const partsOf = (condition: Condition): readonly Condition[] =>
  condition instanceof CompoundCondition && condition.operator === "and"
    ? (condition.value as Condition[]).flatMap(partsOf)
    : [condition];

const isEquality = (condition: Condition): condition is FieldCondition =>
  condition instanceof FieldCondition && (condition.operator === "eq" || condition.operator === "in");

const valuesOf = ({ operator, value }: FieldCondition): Iterable<unknown> =>
  operator === "in" ? new Set(value as unknown[]) : [value];
