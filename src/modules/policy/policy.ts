import type { RuleScope } from "../../../db/tables-policy.ts";
import type { Person } from "../../core/actor.ts";
import type { Rules } from "../../policy/ability.ts";
import type { SubjectSpec } from "../../policy/subjects.ts";

/** No stored rule is about these. */
export const policyRuleSubject: SubjectSpec = { fields: [], judged: [] };

/**
 * Who may write rules may do everything, so nobody is given that by a rule; and an administrator may always write them, whatever the rules
 * say, so that every mistake in them can be put right.
 */
export const policyGuard: Rules = (actor, { can, cannot }) => {
  if (actor.type === "system") return;
  if (actor.type === "user" && actor.role === "admin") can("manage", "PolicyRule");
  else cannot("manage", "PolicyRule");
};

/** The topic on which instances tell each other whose rules have changed. */
export const RULES_TOPIC = "rules";

/** Whom rules are about, as a message on that topic. */
export const scopeOf = (type: RuleScope, id: string): string => `${type}:${id}`;
export const scopesOf = ({ role, id }: Person): string[] => [scopeOf("role", role), scopeOf("user", id)];
