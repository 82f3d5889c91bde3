/** Whether an ability allows an action on one row, or on one field of it. The row itself is not marked or changed. */
import type { Ability, Action, Subject } from "./ability.ts";
import { forEachQuestion, remember } from "./remember.ts";

type Row = Readonly<Record<string, unknown>>;
type Rule = ReturnType<Ability["rulesFor"]>[number];

/** The rules of one question, strongest first. */
interface Plan {
  readonly rules: readonly Rule[];
  /** Whether a rule names fields, so that the fields of one row can differ. */
  readonly byField: boolean;
  /** Every row, whatever is in it, is allowed with all of its fields: nothing of it has to be looked at. */
  readonly everything: boolean;
  /** The fields that conditions look at. */
  readonly needs: ReadonlySet<string>;
  /** The rules about one field. Fields with the same rules share one list. */
  rulesOf(field: string): readonly Rule[];
}

/**
 * Whether `action` is allowed on this row, or on this field of it. Agrees with `where`: a row that one finds, the other allows.
 * @throws Error when the row lacks a field that a condition looks at: a missing value is not the same as NULL.
 */
export function may(ability: Ability, action: Action, subject: Subject, row: object, field?: string): boolean {
  const plan = planOf(ability, action, subject);
  return judge(field === undefined ? plan.rules : plan.rulesOf(field), complete(plan, row));
}

export const planOf = forEachQuestion(makePlan);

function makePlan(ability: Ability, action: Action, subject: Subject): Plan {
  const possible = ability.possibleRulesFor(action, subject);
  const known = new Map<string, readonly Rule[]>();
  const lists = new Map<string, readonly Rule[]>();
  const rules = ability.rulesFor(action, subject);
  const byField = possible.some((rule) => rule.fields !== undefined);
  const [strongest] = rules;
  return {
    rules,
    byField,
    everything: !byField && strongest !== undefined && !strongest.inverted && !strongest.conditions,
    needs: new Set(possible.flatMap((rule) => (rule.ast ? fieldsIn(rule.ast) : []))),
    rulesOf: (field) =>
      remember(known, field, () => {
        const rules = ability.rulesFor(action, subject, field);
        return remember(lists, rules.map((rule) => rule.priority).join(), () => rules);
      }),
  };
}

function fieldsIn(ast: unknown): string[] {
  const { field, value } = ast as { field?: string; value: unknown };
  return field === undefined ? (value as unknown[]).flatMap(fieldsIn) : [field];
}

/** The strongest rule that fits decides; where none fits, nothing is allowed. */
export function judge(rules: readonly Rule[], row: Row): boolean {
  for (const rule of rules) if (rule.matchesConditions(row as never)) return !rule.inverted;
  return false;
}

/** The row, once it is seen to have all that conditions look at. */
export function complete(plan: Plan, row: object): Row {
  for (const field of plan.needs) {
    if (!Object.hasOwn(row, field)) throw new Error(`policy: the row lacks "${field}", which a rule looks at`);
  }
  return row as Row;
}
