/** Rules about fields: which ones an actor may see or set, of a subject in general and of one row. */
import type { Ability, Action, Rule, Subject } from "./ability.ts";
import type { Context } from "./context.ts";
import { deciderOf } from "./decide.ts";
import { refused } from "./explain.ts";
import { complete, judge, may, type Plan, planOf, type Row } from "./may.ts";
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
export function mask<R extends object>(ability: Ability, action: Action, subject: Subject, row: R): Partial<R> {
  const plan = planOf(ability, action, subject);
  if (plan.everything) return row;
  if (!judge(plan.rules, complete(plan, row))) return {};
  const fields = Object.keys(row);
  const hidden = apartIn(plan, fields).flatMap(({ rules, fields }) => (judge(rules, row as Row) ? [] : fields));
  return hidden.length === 0 ? row : only(row, without(fields, hidden));
}

/** Fields that other rules decide than those of the row itself, with which all others are shown. */
interface Apart {
  rules: readonly Rule[];
  fields: string[];
}

function apartIn(plan: Plan, fields: readonly string[]): Apart[] {
  const found: Apart[] = [];
  if (!plan.byField) return found;
  for (const field of fields) {
    const rules = plan.rulesOf(field);
    if (rules === plan.rules) continue;
    const known = found.find((one) => one.rules === rules);
    if (known) known.fields.push(field);
    else found.push({ rules, fields: [field] });
  }
  return found;
}

const without = (fields: readonly string[], hidden: readonly string[]) =>
  fields.filter((field) => !hidden.includes(field));

function only<R extends object>(row: R, fields: readonly string[]): Partial<R> {
  const shown: Record<string, unknown> = {};
  for (const field of fields) shown[field] = (row as Row)[field];
  return shown as Partial<R>;
}

type Mask = <R extends object>(row: R) => Partial<R>;
const masks = forEachQuestion(() => new Map<string, Mask | null>());

/**
 * What rules about fields leave of rows that may be read and have these fields: null when that is all of each. Made once for an ability.
 * Rows of which the same is hidden share the list of what is shown.
 */
function maskOf(ability: Ability, subject: Subject, fields: readonly string[]): Mask | null {
  return remember(masks(ability, "read", subject), fields.join(), () => {
    const apart = apartIn(planOf(ability, "read", subject), fields).map(({ rules, fields }) => ({
      allows: deciderOf(rules),
      names: `${fields.join()},`,
    }));
    if (apart.length === 0) return null;
    const shown = new Map<string, readonly string[]>();
    return (row) => {
      let hidden = "";
      for (const { allows, names } of apart) if (!allows(row as Row)) hidden += names;
      if (hidden === "") return row;
      return only(
        row,
        remember(shown, hidden, () => without(fields, hidden.split(","))),
      );
    };
  });
}

/**
 * Asserts that the ability allows `action` on the named fields of this row: the one that is to be changed, or to be created.
 * @throws AppError `forbidden`, whose `errors` point at each field of the body that it does not allow.
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
  const wrong = [...names].filter((name) => !judge(plan.rulesOf(name), values));
  if (wrong.length === 0) return;
  throw refused("forbidden", ability, action, subject, {
    detail: "Some of the fields may not be set by this actor.",
    errors: wrong.map((name) => ({
      in: "body",
      pointer: `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`,
      detail: "This actor may not set this field.",
    })),
    row,
    fields: wrong,
  });
}

/** Asserts that the ability allows `action` on this row. @throws AppError `forbidden`. */
export function assertMay(ability: Ability, action: Action, subject: Subject, row: object): void {
  if (!may(ability, action, subject, row)) throw refused("forbidden", ability, action, subject, { row });
}

/** What an actor may do to one row, as `?include=permissions` answers it. */
export interface Permissions {
  read: boolean;
  /** The fields that it may set; none of them: it may not change the row. */
  update: string[];
  delete: boolean;
}

type Shown<R> = Partial<R> & { permissions?: Permissions };

/** What the actor may see of a row, and, where it was asked for, what it may do to it. */
export const show = <R extends object>(ctx: Context, subject: Subject, row: R): Shown<R> =>
  withPermissions(ctx, subject, row, mask(ctx.ability, "read", subject, row));

/**
 * `show` for the rows of a list that were found by `whereListed`: it has judged already that each may be read, which took about a quarter
 * of the time of a list to say again. Only rules about fields are left to be asked. The rows have the same fields.
 */
export function showAll<R extends object>(ctx: Context, subject: Subject, rows: R[]): Shown<R>[] {
  const plan = planOf(ctx.ability, "read", subject);
  const [first] = rows;
  const mask = first && plan.byField ? maskOf(ctx.ability, subject, Object.keys(complete(plan, first))) : null;
  const shown = mask ? rows.map((row) => mask(row)) : rows;
  return ctx.permissions ? rows.map((row, i) => withPermissions(ctx, subject, row, shown[i] as Partial<R>)) : shown;
}

function withPermissions<R extends object>(
  { ability, permissions }: Context,
  subject: Subject,
  row: R,
  shown: Partial<R>,
): Shown<R> {
  if (!permissions) return shown;
  const update = permissions.filter((field) => may(ability, "update", subject, row, field));
  const able = { read: may(ability, "read", subject, row), update, delete: may(ability, "delete", subject, row) };
  return { ...shown, permissions: able };
}
