/** Rules about fields: which ones an actor may see or set, of a subject in general and of one row. */
import { AppError } from "../core/error.ts";
import type { Ability, Action, Subject } from "./ability.ts";
import { complete, judge, planOf } from "./may.ts";
import { forEachQuestion, remember } from "./remember.ts";

const answers = forEachQuestion(() => new WeakMap<readonly string[], ReadonlySet<string>>());

/**
 * Those of `allFields` that the ability allows `action` on, on at least some rows; an upper bound of what `mask` leaves. Remembered for
 * each ability and `allFields` array.
 */
export function fieldsOf(
  ability: Ability,
  action: Action,
  subject: Subject,
  allFields: readonly string[],
): ReadonlySet<string> {
  return remember(
    answers(ability, action, subject),
    allFields,
    () => new Set(allFields.filter((field) => ability.can(action, subject, field))),
  );
}

/**
 * The fields of this row that the ability allows `action` on. The row itself, not a copy, when that is all of them.
 * @throws Error when the row lacks a field that a condition looks at.
 */
export const mask = <R extends object>(ability: Ability, action: Action, subject: Subject, row: R): Partial<R> =>
  masked(planOf(ability, action, subject), row);

/** `mask` for the rows of a list, with the rules looked up once. */
export function maskAll<R extends object>(ability: Ability, action: Action, subject: Subject, rows: R[]): Partial<R>[] {
  const plan = planOf(ability, action, subject);
  return plan.everything ? rows : rows.map((row) => masked(plan, row));
}

function masked<R extends object>(plan: ReturnType<typeof planOf>, row: R): Partial<R> {
  if (plan.everything) return row;
  const values = complete(plan, row);
  if (!plan.byField) return judge(plan.rules, values) ? row : {};
  const verdicts = new Map<unknown, boolean>();
  const shown: Record<string, unknown> = {};
  let hidden = false;
  for (const field of Object.keys(row)) {
    const rules = plan.rulesOf(field);
    const verdict = remember(verdicts, rules, () => judge(rules, values));
    if (verdict) shown[field] = values[field];
    else hidden = true;
  }
  return hidden ? (shown as Partial<R>) : row;
}

/**
 * Asserts that the ability allows `action` on the named fields of this row: the one that is to be changed, or to be created.
 * @throws AppError `forbidden`, whose `errors` point at each field of the body that it does not.
 */
export function assertFields(
  ability: Ability,
  action: Action,
  subject: Subject,
  row: object,
  names: Iterable<string>,
): void {
  const plan = planOf(ability, action, subject);
  const values = complete(plan, row);
  const refused = [...names].filter((name) => !judge(plan.rulesOf(name), values));
  if (refused.length === 0) return;
  throw new AppError("forbidden", {
    detail: "Some of the fields may not be set by this actor.",
    errors: refused.map((name) => ({
      in: "body",
      pointer: `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`,
      detail: "This actor may not set this field.",
    })),
  });
}
