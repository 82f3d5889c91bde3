/** From an ability to SQL: the rows that `can()` is true of, and no others. */
import type { SQL } from "drizzle-orm/sql";
import type { Ability, Action, Rule, Subject } from "./ability.ts";
import { isShared } from "./casl.ts";
import { type Columns, toTest } from "./condition.ts";
import { all, any, negate, type Test } from "./logic.ts";
import { planOf, questionsOf } from "./may.ts";
import { print } from "./print.ts";
import { forEachQuestion, remember } from "./remember.ts";

export interface Where {
  /** The shape of `sql` without the values that are bound: abilities with equal keys have the same SQL text. Empty for "every row". */
  readonly key: string;
  /** For a WHERE, with a named placeholder for each value that is bound; undefined when every row may be touched. */
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
    const distinct = lists.filter((rules, i) => lists.findIndex((other) => same(other, rules)) === i);
    const test = all(distinct.map((rules) => fold(rules, columns)));
    return print(test, {
      names: `policy_${action}_${subject}`,
      about: `${action} ${subject}`,
      told: sharedIn(distinct),
    });
  });
}

/** The values of rules that everybody of a role has. */
const sharedIn = (lists: readonly (readonly Rule[])[]): ReadonlySet<unknown> =>
  new Set(lists.flat().flatMap((rule) => (rule.ast && isShared(rule) ? valuesIn(rule.ast) : [])));

function valuesIn(ast: unknown): unknown[] {
  const { field, value } = ast as { field?: string; value: unknown };
  if (field === undefined) return (value as unknown[]).flatMap(valuesIn);
  return Array.isArray(value) ? value : [value];
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
