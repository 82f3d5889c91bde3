/** From an ability to SQL: the rows that `can()` is true of, and no others. */
import { Param, SQL, StringChunk, sql } from "drizzle-orm/sql";
import type { Ability, Action, Rule, Subject } from "./ability.ts";
import { type Columns, toTest } from "./condition.ts";
import { all, any, negate, type Operand, type Part, type Test } from "./logic.ts";
import { planOf, questionsOf } from "./may.ts";
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
  /** All rows match, but those that are refused: no index can find them sooner. */
  readonly open: boolean;
}

const answers = forEachQuestion(() => new WeakMap<Columns, Map<string, Where>>());
const whole: readonly string[] = [];

/**
 * Which rows of `subject` the ability allows `action` on; with `fields`, those of them on which it allows it on each of these too. What is
 * listed is read, so `list` asks for both. Remembered for each ability, action, subject, `columns` object and fields.
 * @throws Error when a rule names a field that is no column, or compares in a way that SQL does not (see condition.ts).
 */
export function where(
  ability: Ability,
  action: Action,
  subject: Subject,
  columns: Columns,
  fields: readonly string[] = whole,
): Where {
  const known = remember(answers(ability, action, subject), columns, () => new Map<string, Where>());
  return remember(known, fields.length === 0 ? "" : fields.join(), () => {
    const lists = questionsOf(action).flatMap((asked) => {
      const rules = ability.rulesFor(asked, subject);
      if (asked === "list" || fields.length === 0) return [rules];
      return [rules, ...fields.map(planOf(ability, asked, subject).rulesOf)];
    });
    // Most are the same rules: then what they say is asked once.
    const tests = lists
      .filter((rules, i) => lists.findIndex((other) => same(other, rules)) === i)
      .map((rules) => fold(rules, columns));
    return print(all(tests), action, subject);
  });
}

const same = (a: readonly Rule[], b: readonly Rule[]) => a.length === b.length && a.every((rule, i) => rule === b[i]);

/**
 * The rules from the weakest to the strongest, each deciding before all weaker ones: what a `can` fits is allowed, what a `cannot` fits
 * is not. CASL's own rulesToAST repeats the conditions of every `cannot` beside each weaker `can`; here each stands once at most: those
 * that follow each other to the same effect are one test (logic.ts), and what a rule about every row decides needs no weaker one.
 */
function fold(rules: readonly Rule[], columns: Columns): Test {
  const last = rules.findIndex((rule) => !rule.ast);
  let test: Test = false;
  let alike: Test[] = [];
  for (let i = last === -1 ? rules.length - 1 : last; i >= 0; i--) {
    const { ast, inverted } = rules[i] as Rule;
    alike.push(ast ? toTest(ast, columns) : true);
    if (rules[i - 1]?.inverted === inverted) continue;
    const fits = any(alike);
    test = inverted ? all([negate(fits), test]) : any([fits, test]);
    alike = [];
  }
  return test;
}

type Token = string | { operand: Operand } | { operand: Operand; name: string };

function print(test: Test, action: Action, subject: Subject): Where {
  if (test === true) return { key: "", sql: undefined, values: {}, never: false, open: true };
  if (test === false) return { key: "false", sql: sql`false`, values: {}, never: true, open: false };
  const values: Record<string, unknown> = {};
  const tokens: Token[] = [];
  let count = 0;
  const bind = (operand: Operand, value: unknown) => {
    const name = `policy_${action}_${subject}_${count++}`;
    values[name] = value;
    tokens.push({ operand, name });
  };

  function write(part: Part): void {
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
        if (part.part.is === "null") tokens.push({ operand: part.part.operand }, " is not null");
        else {
          // What is unknown is not refused. PostgreSQL looks into `(…) is not true` to guess how many rows are left, condition by condition,
          // and for values that it does not know makes that few and another plan each time: 220 µs for 20 rules; of a `case` it makes
          // half and one plan for all: 65.
          tokens.push("case when ");
          write(part.part);
          tokens.push(" then false else true end");
        }
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
    open: test.is === "not",
  };
}

const keyOf = (token: Token): string =>
  typeof token === "string" ? token : "name" in token ? "?" : token.operand.field;

function chunkOf(token: Token) {
  if (typeof token === "string") return new StringChunk(token);
  const { column } = token.operand;
  return "name" in token ? new Param(sql.placeholder(token.name), column) : column;
}
