/**
 * A rule's conditions as a test over columns, whose values SQL compares exactly as `can()` does. Whatever it would compare otherwise
 * is refused here, when the rule is translated and not when a row happens to tell the difference.
 */
import { CompoundCondition, type Condition, FieldCondition } from "@ucast/mongo2js";
import { Column } from "drizzle-orm/column";
import { is } from "drizzle-orm/entity";
import type { Table } from "drizzle-orm/table";
import { toInstant } from "../core/clock.ts";
import { all, among, any, type Comparison, negate, type Operand, type Test, type ValueKind } from "./logic.ts";
import { remember } from "./remember.ts";

/** A Drizzle table, or its columns (or an alias's) by the names that rules use. */
export type Columns = Table | Readonly<Record<string, Column>>;

/** @throws Error for a field that is no column, an operator or a value that SQL would not judge as `can()` does. */
export function toTest(ast: Condition, columns: Columns): Test {
  if (ast instanceof CompoundCondition) {
    const parts = (ast.value as Condition[]).map((part) => toTest(part, columns));
    if (ast.operator === "and") return all(parts);
    if (ast.operator === "or") return any(parts);
    if (ast.operator === "nor") return negate(any(parts));
    if (ast.operator === "not" && parts.length === 1) return negate(parts[0] as Test);
  }
  if (ast instanceof FieldCondition) return fieldTest(ast, operandOf(ast.field, columns));
  throw refusal(`the operator $${ast.operator} has no translation`);
}

function fieldTest({ operator, value }: FieldCondition, operand: Operand): Test {
  switch (operator) {
    case "eq":
      return equal(operand, value);
    case "ne":
      return negate(equal(operand, value));
    case "in":
      return oneOf(operand, value as unknown[]);
    case "nin":
      return negate(oneOf(operand, value as unknown[]));
    case "lt":
      return ordered("<", operand, value);
    case "lte":
      return ordered("<=", operand, value);
    case "gt":
      return ordered(">", operand, value);
    case "gte":
      return ordered(">=", operand, value);
    default:
      throw refusal(`the operator $${operator} of "${operand.field}" has no translation`);
  }
}

const equal = (operand: Operand, value: unknown): Test =>
  value === null ? { is: "null", operand } : { is: "=", operand, value: checked(operand, value) };

function oneOf(operand: Operand, list: unknown[]): Test {
  const values = list.filter((value) => value !== null).map((value) => checked(operand, value));
  const found = among(operand, values);
  return list.includes(null) ? any([found, { is: "null", operand }]) : found;
}

function ordered(comparison: Comparison["is"], operand: Operand, value: unknown): Test {
  const bound = checked(operand, value);
  if (operand.kind === "bool") throw refusal(`"${operand.field}" is true or false and has no order`);
  // JavaScript orders text by UTF-16 units, databases by code points. The two differ only from the surrogates (U+D800) on, and only
  // where the bound holds such a character: it is compared with the row's at the first place where they differ.
  if (typeof bound === "string" && /[\ud800-\uffff]/.test(bound)) {
    throw refusal(`"${operand.field}" is compared with text beyond U+D7FF, which has another order in JavaScript`);
  }
  return { is: comparison, operand, value: bound };
}

const kinds: Readonly<Record<string, ValueKind>> = {
  PgText: "text",
  PgInteger: "int",
  PgBoolean: "bool",
  SQLiteText: "text",
  SQLiteInteger: "int",
  SQLiteBoolean: "bool",
};

const operands = new WeakMap<Columns, Map<string, Operand>>();

/** Looked at once for all rules: Drizzle's own way to tell a column takes longer than the rest of a comparison's translation. */
const operandOf = (field: string, columns: Columns): Operand =>
  remember(
    remember(operands, columns, () => new Map<string, Operand>()),
    field,
    () => makeOperand(field, columns),
  );

function makeOperand(field: string, columns: Columns): Operand {
  const column: unknown = Object.hasOwn(columns, field) ? columns[field as keyof Columns] : undefined;
  if (!is(column, Column)) throw refusal(`there is no column for the field "${field}"`);
  const instant = column.columnType === "PgCustomColumn" && column.getSQLType() === "timestamp (3) with time zone";
  const kind = instant ? "instant" : kinds[column.columnType];
  if (!kind) throw refusal(`the column of "${field}" (${column.getSQLType()}) cannot be compared`);
  return { field, column, kind };
}

const fits: Readonly<Record<ValueKind, { check(value: unknown): boolean; expected: string }>> = {
  text: { check: isText, expected: "well-formed text without NUL" },
  int: {
    check: (value) => Number.isInteger(value) && Math.abs(value as number) < 2 ** 31,
    expected: "a 32-bit integer",
  },
  bool: { check: (value) => typeof value === "boolean", expected: "true or false" },
  instant: { check: isInstant, expected: "an instant as its text (2026-01-31T09:30:00.000Z)" },
};

function checked({ field, kind }: Operand, value: unknown): unknown {
  if (fits[kind].check(value)) return value;
  const operator =
    typeof value === "object" && value !== null ? Object.keys(value).find((key) => key[0] === "$") : undefined;
  if (operator) throw refusal(`the operator ${operator} of "${field}" is not known`);
  throw refusal(
    `"${field}" is compared with ${value === undefined ? "undefined" : "another kind of value"}; expected ${fits[kind].expected}`,
  );
}

/** NUL cannot be stored in PostgreSQL's text, and a lone surrogate reaches no database unchanged. */
function isText(value: unknown): boolean {
  return typeof value === "string" && value.isWellFormed() && !value.includes("\0");
}

/** PostgreSQL compares times and `can()` compares their texts: the same, as long as each time has one text. */
function isInstant(value: unknown): boolean {
  if (typeof value !== "string" || value < "0001" || !/^\d{4}-/.test(value)) return false;
  const ms = Date.parse(value);
  return !Number.isNaN(ms) && toInstant(ms) === value;
}

const refusal = (reason: string) => new Error(`policy: ${reason}`);
