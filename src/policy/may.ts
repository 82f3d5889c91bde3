/** Whether an ability allows an action on one row, or on one field of it. The row itself is not marked or changed. */
import type { Ability, Action, Rule, Subject } from "./ability.ts";
import { forEachQuestion, remember } from "./remember.ts";

export type Row = Readonly<Record<string, unknown>>;

/** The rules of one question, strongest first. */
export interface Plan {
  readonly rules: readonly Rule[];
  /** Whether a rule names fields, so that the fields of one row can differ. */
  readonly byField: boolean;
  /** Every row, whatever is in it, is allowed with all of its fields: nothing of it has to be looked at. */
  readonly everything: boolean;
  /** The fields that conditions look at. */
  readonly needs: ReadonlySet<string>;
  /** The rules about one field. Fields with the same rules share one list. */
  rulesOf(field: string): readonly Rule[];
  /** Whether any row could be allowed. */
  readonly possible: boolean;
}

/**
 * Whether `action` is allowed on this row, or on this field of it. Agrees with `where`: a row that one finds, the other allows.
 * @throws Error when the row lacks a field that a condition looks at: a missing value is not the same as NULL.
 */
export function may(ability: Ability, action: Action, subject: Subject, row: object, field?: string): boolean {
  return questionsOf(action).every((asked) => {
    const plan = planOf(ability, asked, subject);
    return judge(field === undefined || asked === "list" ? plan.rules : plan.rulesOf(field), complete(plan, row));
  });
}

const listed: readonly Action[] = ["list", "read"];
/** What is listed is read; its fields are those that are read. */
export const questionsOf = (action: Action): readonly Action[] => (action === "list" ? listed : [action]);

/** Whether `action` is allowed on some rows at least: what a route asks before anything is looked up. */
export const mayAny = (ability: Ability, action: Action, subject: Subject): boolean =>
  planOf(ability, action, subject).possible;

export const planOf = forEachQuestion(makePlan);

function makePlan(ability: Ability, action: Action, subject: Subject): Plan {
  const possible = ability.possibleRulesFor(action, subject);
  const known = new Map<string, readonly Rule[]>();
  const rules = ability.rulesFor(action, subject);
  const lists = new Map<string, readonly Rule[]>([[nameOf(rules), rules]]);
  const byField = possible.some((rule) => rule.fields !== undefined);
  const [strongest] = rules;
  return {
    rules,
    possible: ability.can(action, subject),
    byField,
    everything: !byField && strongest !== undefined && !strongest.inverted && !strongest.conditions,
    needs: new Set(possible.flatMap((rule) => (rule.ast ? fieldsIn(rule.ast) : []))),
    rulesOf: (field) =>
      remember(known, field, () => {
        const rules = ability.rulesFor(action, subject, field);
        return remember(lists, nameOf(rules), () => rules);
      }),
  };
}

const nameOf = (rules: readonly Rule[]) => rules.map((rule) => rule.priority).join();

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
