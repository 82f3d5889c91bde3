/** The reader's own policy, applied to what an entry tells: a field that they may not read in the row, they do not read in the trail. */
import type { Ability } from "../../policy/ability.ts";
import { mask } from "../../policy/fields.ts";
import { mayAny, planOf } from "../../policy/may.ts";
import { isSubject, type Subjects } from "../../policy/subjects.ts";
import type { Entry } from "./entry.ts";

type Values = Record<string, unknown> | null;

/** What the ability's holder may see of the entry; the entry itself, not a copy, when that is all. */
export function shownTo(subjects: Subjects, ability: Ability, entry: Entry): Partial<Entry> {
  const { entityType, entityId } = entry;
  const seen = mask(ability, "read", "AuditEntry", entry);
  const [oldValue, newValue] = [entry.oldValue, entry.newValue].map((values) =>
    visible(subjects, ability, entityType, entityId, values),
  ) as [Values, Values];
  if (seen === entry && oldValue === entry.oldValue && newValue === entry.newValue) return entry;
  return {
    ...seen,
    ...("oldValue" in seen && { oldValue }),
    ...("newValue" in seen && { newValue }),
  };
}

/** A condition about a field that the entry does not tell cannot be judged: then nothing is shown. */
function visible(subjects: Subjects, ability: Ability, subject: string, id: string, values: Values): Values {
  if (values === null) return null;
  // No rule is about it: then whoever sees all of the trail sees it too.
  if (!isSubject(subjects, subject)) return mayAny(ability, "manage", "AuditEntry") ? values : {};
  const plan = planOf(ability, "read", subject);
  if (plan.everything) return values;
  const row: Record<string, unknown> = { ...values, id };
  if ([...plan.needs].some((field) => !Object.hasOwn(row, field))) return {};
  const { id: _, ...shown } = mask(ability, "read", subject, row);
  return Object.keys(shown).length === Object.keys(values).length ? values : shown;
}

/** The change as lines for a person: `role: "user" → "admin"`. */
export function diffOf({ oldValue = null, newValue = null }: Partial<Entry>): string[] {
  const names = [...new Set([...Object.keys(oldValue ?? {}), ...Object.keys(newValue ?? {})])];
  return names.map((name) => {
    const [from, to] = [oldValue?.[name], newValue?.[name]];
    if (oldValue === null) return `${name}: ${printed(to)}`;
    if (newValue === null) return `${name}: ${printed(from)} → gone`;
    return `${name}: ${printed(from)} → ${printed(to)}`;
  });
}

const MAX_PRINTED = 200;

function printed(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = value === "[changed]" ? value : JSON.stringify(value);
  return text.length > MAX_PRINTED ? `${text.slice(0, MAX_PRINTED).toWellFormed()}…` : text;
}
