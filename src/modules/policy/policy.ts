import type { RuleScope } from "../../../db/tables-policy.ts";
import type { Ruled } from "../../core/actor.ts";
import type { Rules } from "../../policy/ability.ts";
import type { SubjectSpec } from "../../policy/subjects.ts";

/** No stored rule is about these. */
export const policyRuleSubject: SubjectSpec = { fields: [], judged: [] };

/**
 * Who may write rules may do everything, so nobody is given that by a rule; and an administrator may always write them, whatever the rules
 * say, so that every mistake in them can be put right. An API key writes none, whoever shows it: it could take back what it is bound by.
 */
export const policyGuard: Rules = (actor, { can, cannot }) => {
  if (actor.type === "system") return;
  const isLoggedIn = actor.type === "user" && actor.apiKeyId === undefined;
  if (isLoggedIn && actor.role === "admin") can("manage", "PolicyRule");
  else cannot("manage", "PolicyRule");
};

/** The topic on which instances tell each other whose rules have changed. */
export const RULES_TOPIC = "rules";

/** Whom rules are about, as a message on that topic. */
export const scopeOf = (type: RuleScope, id: string): string => `${type}:${id}`;
export const scopesOf = (actor: Ruled): string[] =>
  Object.entries(scopeIdsOf(actor)).flatMap(([type, id]) => (id === null ? [] : [scopeOf(type as RuleScope, id)]));

/** Whose rules an actor goes by. A key that a person shows adds its own to theirs; one that acts for itself is no person. */
export const scopeIdsOf = (actor: Ruled): Record<RuleScope, string | null> => ({
  role: actor.role,
  user: actor.type === "user" ? actor.id : null,
  apiKey: (actor.type === "apiKey" ? actor.id : actor.apiKeyId) ?? null,
});
