/** Lists: what they are cut by, and what they may be asked by. */
import type { InputFault } from "../core/error.ts";
import type { ListInput } from "../core/page.ts";
import type { Ability, Subject } from "./ability.ts";
import { alwaysShown } from "./casl.ts";
import type { Columns } from "./condition.ts";
import { refused } from "./explain.ts";
import { type Where, where } from "./where.ts";

const MAX_FAULTS = 20;

/**
 * The WHERE of a list: the rows that may be listed and read. Order and filters tell of values that the answer itself leaves out, so a list
 * that is sorted or filtered by a field holds only the rows whose field the actor may see.
 * @throws AppError `forbidden` when that can be no row, or `fields` names a field that is shown of none.
 */
export function whereListed(
  ability: Ability,
  subject: Subject,
  columns: Columns,
  { sort, filters, fields }: ListInput,
): Where {
  const used = [{ name: sort.field, pointer: "/sort" }].concat(
    filters.map(({ field, op }) => ({ name: field, pointer: `/filter[${field}][${op}]` })),
    (fields ?? []).map((name) => ({ name, pointer: "/fields" })),
  );
  const named = used.filter(({ name }) => !alwaysShown.has(name));
  const hidden = named.filter(({ name }) => !ability.can("read", subject, name));
  if (hidden.length > 0) {
    const errors = hidden
      .slice(0, MAX_FAULTS)
      .map(({ name, pointer }): InputFault => ({ in: "query", pointer, detail: `This actor may not see "${name}".` }));
    throw refused("forbidden", ability, "read", subject, { errors, fields: hidden.map(({ name }) => name) });
  }
  const telling = named.filter(({ pointer }) => pointer !== "/fields").map(({ name }) => name);
  return where(ability, "list", subject, columns, [...new Set(telling)].sort());
}
