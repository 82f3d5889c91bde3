/** A test as SQL: its text, the key that stands for the text, and what is bound to it. */
import { Param, SQL, StringChunk, sql } from "drizzle-orm/sql";
import { all, any, type Comparison, type Operand, type Part, type Test } from "./logic.ts";
import { remember } from "./remember.ts";
import type { Where } from "./where.ts";

interface Options {
  /** What the names of placeholders begin with. */
  names: string;
  /** What the key begins with. */
  about: string;
  /** Values that may stand in the text: those that everybody shares who shares the text. All others are bound. */
  told: ReadonlySet<unknown>;
}

type Token = string | { operand: Operand } | { operand: Operand; name: string };

export function print(test: Test, { names, about, told }: Options): Where {
  if (test === true) return { key: "", sql: undefined, values: {}, never: false, open: true };
  if (test === false) return { key: "false", sql: sql`false`, values: {}, never: true, open: false };
  const values: Record<string, unknown> = {};
  const tokens: Token[] = [];
  let count = 0;
  const bind = (operand: Operand, value: unknown) => {
    const literal = told.has(value) ? literalOf(operand, value) : null;
    if (literal !== null) return tokens.push(literal);
    const name = `${names}_${count++}`;
    values[name] = value;
    return tokens.push({ operand, name });
  };
  const list = <T>(items: readonly T[], between: string, one: (item: T) => void) => {
    tokens.push("(");
    items.forEach((item, i) => {
      if (i > 0) tokens.push(between);
      one(item);
    });
    tokens.push(")");
  };

  /** `refuses`: it stands inside of a negation, where no index is looked for. */
  function write(part: Part, refuses: boolean): void {
    switch (part.is) {
      case "and":
        list(part.parts, " and ", (inner) => write(inner, refuses));
        break;
      case "or": {
        const { choices, rest } = refuses ? choicesIn(part.parts) : { choices: [], rest: part.parts };
        const items: (() => void)[] = [
          ...rest.map((inner) => () => write(inner, refuses)),
          ...choices.map((one) => () => choose(one)),
        ];
        list(items, " or ", (item) => item());
        break;
      }
      case "not":
        if (part.part.is === "null") tokens.push({ operand: part.part.operand }, " is not null");
        else {
          // What is unknown is not refused. PostgreSQL looks into `(…) is not true` to guess how many rows are left, condition by condition,
          // and for values that it does not know makes that few and another plan each time: 220 µs for 20 rules; of a `case` it makes
          // half and one plan for all: 65.
          tokens.push("case when ");
          write(part.part, true);
          tokens.push(" then false else true end");
        }
        break;
      case "null":
        tokens.push({ operand: part.operand }, " is null");
        break;
      case "in":
        tokens.push({ operand: part.operand }, " in ");
        list(part.values, ", ", (value) => bind(part.operand, value));
        break;
      default:
        tokens.push({ operand: part.operand }, ` ${part.is} `);
        bind(part.operand, part.value);
    }
  }

  function choose({ operand, wanted }: Choice): void {
    tokens.push("case ", { operand });
    for (const [value, rests] of wanted) {
      const rest = any(rests);
      tokens.push(" when ");
      bind(operand, value);
      tokens.push(" then ");
      if (typeof rest === "boolean") tokens.push(String(rest));
      else write(rest, true);
    }
    tokens.push(" else false end");
  }

  write(test, false);
  let printed: SQL | undefined;
  return {
    key: `${about}: ${tokens.map(keyOf).join("")}`,
    // Made when it is first asked for: where a statement of the same key is prepared already, it never is.
    get sql() {
      printed ??= new SQL(tokens.map(chunkOf));
      return printed;
    },
    values,
    never: false,
    open: test.is === "not",
  };
}

/** What has to hold beside each value of a column. */
interface Choice {
  operand: Operand;
  wanted: Map<unknown, Test[]>;
}

/**
 * `(a = 1 and b) or (a = 2 and c)` is `case a when 1 then b when 2 then c else false end`: SQLite then takes the column out of the row once.
 * Nothing finds such rows by an index, so it is for refusals alone.
 */
function choicesIn(parts: readonly Part[]): { choices: Choice[]; rest: Part[] } {
  const byField = new Map<string, Choice & { from: Part[] }>();
  const rest: Part[] = [];
  for (const part of parts) {
    const first = part.is === "and" ? part.parts.find((one): one is Comparison => one.is === "=") : undefined;
    if (part.is !== "and" || !first) {
      rest.push(part);
      continue;
    }
    const { operand, value } = first;
    const choice = remember(byField, operand.field, () => ({ operand, wanted: new Map(), from: [] }));
    remember(choice.wanted, value, (): Test[] => []).push(all(part.parts.filter((one) => one !== first)));
    choice.from.push(part);
  }
  const [single, several] = [[...byField.values()].filter(isOne), [...byField.values()].filter((one) => !isOne(one))];
  return { choices: several, rest: [...rest, ...single.flatMap(({ from }) => from)] };
}

const isOne = ({ wanted }: Choice) => wanted.size === 1;

/** No character of these ends a literal, or begins anything in one, whatever the server's settings: nothing has to be escaped. */
const PLAIN = /^[\w .:@+-]{0,200}$/;

/** The value as SQL that both dialects read as what would be bound; null for what is better bound. */
function literalOf({ column }: Operand, value: unknown): string | null {
  const sent: unknown = column.mapToDriverValue(value);
  if (typeof sent === "string") return PLAIN.test(sent) ? `'${sent}'` : null;
  return typeof sent === "boolean" || Number.isSafeInteger(sent) ? String(sent) : null;
}

const keyOf = (token: Token): string =>
  typeof token === "string" ? token : "name" in token ? "?" : token.operand.field;

function chunkOf(token: Token) {
  if (typeof token === "string") return new StringChunk(token);
  const { column } = token.operand;
  return "name" in token ? new Param(sql.placeholder(token.name), column) : column;
}
