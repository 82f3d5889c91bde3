/** The stored rules of actors, remembered by what names them. */
import type { Ruled } from "../../core/actor.ts";
import type { StoredRule } from "../../policy/ability.ts";
import { faultsOf, toRule } from "../../policy/rule-check.ts";
import { isSubject, type Subjects } from "../../policy/subjects.ts";
import type { Log } from "../../ports/log/port.ts";
import type { createRuleStore, PolicyRule } from "./store.ts";

export interface Rulebook {
  /**
   * The rules that are stored for an actor, the weakest first, and their stamp. Without a query where the stamp that was just read is known;
   * `undefined` where none was.
   */
  rulesOf(actor: Ruled, stamp?: string | null): Promise<{ stamp: string; rules: readonly StoredRule[] }>;
}

interface RulebookDeps {
  store: Pick<ReturnType<typeof createRuleStore>, "rulesOf">;
  subjects: Subjects;
  log: Log;
}

/** Roles are few; each person or key with rules of their own has one more. */
const MAX = 1000;
const none = { stamp: "", rules: [] };

export function createRulebook({ store, subjects, log }: RulebookDeps): Rulebook {
  const known = new Map<string, readonly StoredRule[]>();
  return {
    async rulesOf(actor, asked) {
      if (asked === null) return none;
      const wanted = asked === undefined ? null : sorted(asked.split(","));
      const before = wanted === null ? undefined : known.get(wanted);
      if (wanted !== null && before) return { stamp: wanted, rules: before };
      // They may have changed since the stamp was read: what is found is remembered by its own.
      const rows = await store.rulesOf(actor);
      if (rows.length === 0) return none;
      const stamp = sorted(rows.map(({ id, version }) => `${id}:${version}`));
      const rules = known.get(stamp) ?? rows.flatMap(understand);
      if (known.size >= MAX) known.clear();
      known.set(stamp, rules);
      return { stamp, rules };
    },
  };

  /**
   * A rule that was checked when it was saved may not be understood any more, because a column is gone, or somebody wrote it with SQL. It
   * then allows nothing, and what it refused is refused as a whole: never does somebody see more for that reason.
   */
  function understand(row: PolicyRule): StoredRule[] {
    const faults = isDraft(row) ? faultsOf(row, subjects) : "has another form";
    if (faults.length === 0) return [toRule(row.id, row.scopeType, row)];
    log.error({ rule: row.id, faults }, "a stored rule is not understood");
    const exists = row.subject === "all" || (isSubject(subjects, row.subject) && row.subject !== "PolicyRule");
    if (!row.inverted || !exists) return [];
    return [toRule(row.id, row.scopeType, { ...row, actions: ["manage"], fields: null, conditions: null })];
  }
}

/** Whoever writes with SQL can write any JSON. */
const isDraft = ({ actions, fields, conditions }: PolicyRule): boolean =>
  Array.isArray(actions) && (fields === null || Array.isArray(fields)) && typeof conditions === "object";

const sorted = (parts: string[]): string => parts.sort().join();
