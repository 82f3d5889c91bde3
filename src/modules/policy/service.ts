import type { RuleScope } from "../../../db/tables-policy.ts";
import { roles } from "../../core/actor.ts";
import { AppError, type InputFault } from "../../core/error.ts";
import { idPattern, idPrefixes, newId } from "../../core/id.ts";
import type { ListInput } from "../../core/page.ts";
import { assertMatch, type IfMatch } from "../../core/version.ts";
import type { Context } from "../../policy/context.ts";
import { faultsOf, type RuleFault } from "../../policy/rule-check.ts";
import type { Subjects } from "../../policy/subjects.ts";
import type { Bus } from "../../ports/bus/port.ts";
import { type Db, must } from "../../ports/db/port.ts";
import { audit } from "../audit/statement.ts";
import { keep } from "../idempotency/store.ts";
import { RULES_TOPIC, scopeOf } from "./policy.ts";
import type { NewPolicyRule, PolicyRuleChanges } from "./schema.ts";
import { createRuleStore, deleteRule, insertRule, type PolicyRule, updateRule } from "./store.ts";

interface PolicyDeps {
  db: Db;
  bus: Bus;
  subjects: Subjects;
}

export type Policy = ReturnType<typeof createPolicy>;

const MAX_FAULTS = 20;
const [user, apiKey] = [idPattern(idPrefixes.user), idPattern(idPrefixes.apiKey)];

/** The rules that administrators make. What the actor may do is decided at the route: all rules, or none of them. */
export function createPolicy({ db, bus, subjects }: PolicyDeps) {
  const store = createRuleStore(db);
  const entity = (id: string) => ({ type: "PolicyRule", id });
  /** After the commit, and before the answer: the next request of any of those whom it is about goes by it, on each instance. */
  const tell = ({ scopeType, scopeId }: PolicyRule) => bus.publish(RULES_TOPIC, scopeOf(scopeType, scopeId));

  function assertSound(rule: PolicyRule): void {
    const faults = [...scopeFaults(rule.scopeType, rule.scopeId), ...faultsOf(rule, subjects)];
    if (faults.length === 0) return;
    const errors = faults.slice(0, MAX_FAULTS).map((fault): InputFault => ({ in: "body", ...fault }));
    throw new AppError("invalid_input", { errors });
  }

  async function seen(ctx: Context, id: string, ifMatch: IfMatch): Promise<PolicyRule> {
    const rule = await store.find(id, ctx);
    if (!rule) throw new AppError("not_found");
    assertMatch(ifMatch, rule);
    return rule;
  }

  return {
    list: (ctx: Context, input: ListInput) => store.page(ctx, input),

    get: (ctx: Context, id: string): Promise<PolicyRule> => seen(ctx, id, null),

    async create(ctx: Context, input: NewPolicyRule): Promise<PolicyRule> {
      const id = newId(idPrefixes.policyRule);
      const rule: PolicyRule = { ...input, id, createdAt: ctx.now, updatedAt: ctx.now, version: 1 };
      assertSound(rule);
      await db.atomic((tx) => [
        audit(tx, ctx, { action: "policy-rule.create", entity: entity(id), after: rule }),
        tx.prepare(insertRule)(rule),
        keep(tx, ctx, rule),
      ]);
      tell(rule);
      return rule;
    },

    async update(ctx: Context, id: string, changes: PolicyRuleChanges, ifMatch: IfMatch): Promise<PolicyRule> {
      const before = await seen(ctx, id, ifMatch);
      const after = { ...before, ...changes, version: before.version + 1, updatedAt: ctx.now } as PolicyRule;
      assertSound(after);
      await db.atomic((tx) => [
        audit(tx, ctx, { action: "policy-rule.update", entity: entity(id), before, after }),
        must(tx.prepare(updateRule)({ ...after, seen: before.version })),
        keep(tx, ctx, after),
      ]);
      tell(after);
      return after;
    },

    async remove(ctx: Context, id: string, ifMatch: IfMatch): Promise<void> {
      const before = await seen(ctx, id, ifMatch);
      await db.atomic((tx) => [
        audit(tx, ctx, { action: "policy-rule.delete", entity: entity(id), before }),
        must(tx.prepare(deleteRule)({ id, seen: before.version })),
        keep(tx, ctx, undefined),
      ]);
      tell(before);
    },
  };
}

/** Whom a rule can be about. Nobody asks whether there is such a user or key: a rule may be there before whom it is about. */
const scopes: Record<RuleScope, { isOne: (id: string) => boolean; expected: string }> = {
  role: { isOne: (id) => (roles as readonly string[]).includes(id), expected: `a role: ${roles.join(", ")}` },
  user: { isOne: (id) => user.test(id), expected: "the id of a user" },
  apiKey: { isOne: (id) => apiKey.test(id), expected: "the id of an API key" },
};

function scopeFaults(type: RuleScope, id: string): RuleFault[] {
  const { isOne, expected } = scopes[type];
  return isOne(id) ? [] : [{ pointer: "/scopeId", detail: `is not ${expected}` }];
}
