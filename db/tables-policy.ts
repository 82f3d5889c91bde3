/** What administrators decide about permissions, beside what the code does. */
import { type Kit, oneOf } from "./kit.ts";

/** Whom a rule is about. The later kind takes precedence. */
export const ruleScopes = ["role", "user", "apiKey"] as const;
export type RuleScope = (typeof ruleScopes)[number];

/** Nobody writes conditions here that were not checked; what is read is checked again (modules/policy/rulebook.ts). */
export function definePolicy(kit: Kit) {
  const policyRules = kit.table(
    "policy_rules",
    {
      ...kit.base(),
      scopeType: kit.text().$type<RuleScope>().notNull(),
      /** A role's name, or the id of a user or an API key. Without a reference: a rule about somebody who is gone is about nobody. */
      scopeId: kit.text().notNull(),
      subject: kit.text().notNull(),
      actions: kit.json<string[]>().notNull(),
      /** Null for all of them. */
      fields: kit.json<string[] | null>(),
      /** Null for every row. */
      conditions: kit.json<Record<string, unknown> | null>(),
      /** It refuses what it names. */
      inverted: kit.bool().notNull(),
      /** Of the rules of one scope, the later one decides: the greater priority, then the newer one. */
      priority: kit.int().notNull(),
      note: kit.text(),
    },
    (t) => [
      kit.index("policy_rules_scope_index").on(t.scopeType, t.scopeId),
      kit.index("policy_rules_subject_index").on(t.subject, t.createdAt, t.id),
      kit.index("policy_rules_created_at_index").on(t.createdAt, t.id),
      kit.check("policy_rules_scope_type_check", oneOf(t.scopeType, ruleScopes)),
    ],
  );
  return { policyRules };
}
