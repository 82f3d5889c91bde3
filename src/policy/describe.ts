/** Conditions as people read them. */
import { CompoundCondition, type Condition, FieldCondition } from "@ucast/mongo2js";

const words: Readonly<Record<string, string>> = {
  eq: "is",
  ne: "is not",
  lt: "is less than",
  lte: "is at most",
  gt: "is greater than",
  gte: "is at least",
  in: "is one of",
  nin: "is none of",
};

/** `role is "admin" and (version is less than 3 or name is null)`. */
export function describe(ast: Condition): string {
  return write(ast, false);
}

function write(ast: Condition, inner: boolean): string {
  if (ast instanceof FieldCondition)
    return `${ast.field} ${words[ast.operator] ?? ast.operator} ${JSON.stringify(ast.value)}`;
  if (!(ast instanceof CompoundCondition)) return `$${ast.operator}`;
  const parts = ast.value as Condition[];
  if (ast.operator === "and" || ast.operator === "or") {
    if (parts.length === 1) return write(parts[0] as Condition, inner);
    const text = parts.map((part) => write(part, true)).join(` ${ast.operator} `);
    return inner ? `(${text})` : text;
  }
  return `not (${parts.map((part) => write(part, parts.length > 1)).join(" or ")})`;
}
