/** From an ability to SQL: the rows that `can()` is true of, and no others. */
import { Param, SQL, StringChunk, sql } from "drizzle-orm/sql";
import type { Ability, Action, Subject } from "./ability.ts";
import { all, any, type Columns, negate, type Operand, type Test, toTest } from "./condition.ts";
import { forEachQuestion, remember } from "./remember.ts";

export interface Where {
  /** The shape of `sql` without its values: abilities with equal keys have the same SQL text. Empty for "every row". */
  readonly key: string;
  /** For a WHERE, with a named placeholder for each value; undefined when every row may be touched. */
  readonly sql: SQL | undefined;
  /** What to bind to the placeholders. Their names hold action and subject, so that the values of two wheres can be merged. */
  readonly values: Readonly<Record<string, unknown>>;
  /** No row can match: the caller may answer without asking the database. */
  readonly never: boolean;
}

const answers = forEachQuestion(() => new WeakMap<Columns, Where>());

/**
 * Which rows of `subject` the ability allows `action` on. Remembered for each ability, action, subject and `columns` object.
 * @throws Error when a rule names a field that is no column, or compares in a way that SQL does not (see condition.ts).
 */
export function where(ability: Ability, action: Action, subject: Subject, columns: Columns): Where {
  return remember(answers(ability, action, subject), columns, () =>
    print(fold(ability, action, subject, columns), action, subject),
  );
}

/**
 * The rules from the weakest to the strongest, each deciding before all weaker ones: what a `can` fits is allowed, what a `cannot` fits
 * is not. CASL's own rulesToAST repeats the conditions of every `cannot` beside each weaker `can`; here each stands once, and on D1 a
 * statement has no more than 100 values.
 */
function fold(ability: Ability, action: Action, subject: Subject, columns: Columns): Test {
  let test: Test = false;
  for (const rule of ability.rulesFor(action, subject).toReversed()) {
    const fits = rule.ast ? toTest(rule.ast, columns) : true;
    test = rule.inverted ? all([negate(fits), test]) : any([fits, test]);
  }
  return test;
}

type Token = string | { operand: Operand } | { operand: Operand; name: string };

function print(test: Test, action: Action, subject: Subject): Where {
  if (test === true) return { key: "", sql: undefined, values: {}, never: false };
  if (test === false) return { key: "false", sql: sql`false`, values: {}, never: true };
  const values: Record<string, unknown> = {};
  const tokens: Token[] = [];
  let count = 0;
  const bind = (operand: Operand, value: unknown) => {
    const name = `policy_${action}_${subject}_${count++}`;
    values[name] = value;
    tokens.push({ operand, name });
  };

  function write(part: Exclude<Test, boolean>): void {
    switch (part.is) {
      case "and":
      case "or":
        tokens.push("(");
        part.parts.forEach((inner, i) => {
          if (i > 0) tokens.push(` ${part.is} `);
          write(inner);
        });
        tokens.push(")");
        break;
      case "not":
        // Unknown is not true either: what a condition does not fit for certain, it does not fit.
        tokens.push("(");
        write(part.part);
        tokens.push(") is not true");
        break;
      case "null":
        tokens.push({ operand: part.operand }, " is null");
        break;
      case "in":
        tokens.push({ operand: part.operand }, " in (");
        part.values.forEach((value, i) => {
          if (i > 0) tokens.push(", ");
          bind(part.operand, value);
        });
        tokens.push(")");
        break;
      default: {
        // By code point, as JavaScript and SQLite compare, whatever the collation of the database.
        const collated = part.is !== "=" && part.operand.column.columnType === "PgText";
        tokens.push({ operand: part.operand }, collated ? ` collate "C" ${part.is} ` : ` ${part.is} `);
        bind(part.operand, part.value);
      }
    }
  }

  write(test);
  let printed: SQL | undefined;
  return {
    key: `${action} ${subject}: ${tokens.map(keyOf).join("")}`,
    // Made when it is first asked for: where a statement of the same key is prepared already, it never is.
    get sql() {
      printed ??= new SQL(tokens.map(chunkOf));
      return printed;
    },
    values,
    never: false,
  };
}

const keyOf = (token: Token): string =>
  typeof token === "string" ? token : "name" in token ? "?" : token.operand.field;

function chunkOf(token: Token) {
  if (typeof token === "string") return new StringChunk(token);
  const { column } = token.operand;
  return "name" in token ? new Param(sql.placeholder(token.name), column) : column;
}
