/** A rule's conditions as a function of a row, made once: an interpreter would walk through them again for each row of a list. */
import { CompoundCondition, type Condition, FieldCondition } from "@ucast/mongo2js";

export type Fits = (row: Readonly<Record<string, unknown>>) => boolean;

/** @throws Error for an operator that is not known; the function, for values of different types. */
export function matcherOf(ast: Condition): Fits {
  if (ast instanceof FieldCondition) return fieldMatcher(ast);
  const parts = ast instanceof CompoundCondition ? (ast.value as Condition[]).map(matcherOf) : [];
  switch (ast.operator) {
    case "and":
      return (row) => parts.every((fits) => fits(row));
    case "or":
      return (row) => parts.some((fits) => fits(row));
    case "nor":
    case "not":
      return (row) => !parts.some((fits) => fits(row));
    default:
      throw new Error(`policy: the operator $${ast.operator} is not known`);
  }
}

function fieldMatcher({ field, operator, value }: FieldCondition): Fits {
  const list = value as unknown[];
  switch (operator) {
    case "eq":
      return (row) => compare(row[field], value) === 0;
    case "ne":
      return (row) => compare(row[field], value) !== 0;
    case "in":
      return (row) => list.some((one) => compare(row[field], one) === 0);
    case "nin":
      return (row) => !list.some((one) => compare(row[field], one) === 0);
    case "lt":
      return (row) => compare(row[field], value) < 0;
    case "lte":
      return (row) => compare(row[field], value) <= 0;
    case "gt":
      return (row) => compare(row[field], value) > 0;
    case "gte":
      return (row) => compare(row[field], value) >= 0;
    default:
      throw new Error(`policy: the operator $${operator} of "${field}" is not known`);
  }
}

/**
 * The order of two values; NaN where there is none. For JavaScript null is 0 or smaller than everything, and a rule about
 * `publishedAt: { $lt: now }` would fit rows that were never published. Here, as in SQL, null has no place in the order.
 */
export function compare(value: unknown, bound: unknown): number {
  if (value === bound) return 0;
  if (value === null || value === undefined || bound === null || bound === undefined) return Number.NaN;
  if (typeof value !== typeof bound)
    throw new TypeError(`policy: a condition compares a ${typeof value} with a ${typeof bound}`);
  return value > bound ? 1 : value < bound ? -1 : Number.NaN;
}
