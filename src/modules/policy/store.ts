import { and, eq, or, type SQL, sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import { type RuleScope, ruleScopes } from "../../../db/tables-policy.ts";
import type { Person, Ruled } from "../../core/actor.ts";
import type { ListInput, Page } from "../../core/page.ts";
import type { Action } from "../../policy/ability.ts";
import type { Context } from "../../policy/context.ts";
import { whereListed } from "../../policy/listed.ts";
import { pages } from "../../ports/db/page.ts";
import { placeholders, value } from "../../ports/db/placeholders.ts";
import type { Builders, Db, Dialect, Reads } from "../../ports/db/port.ts";
import { scopeIdsOf } from "./policy.ts";

const fresh = { fresh: true };

const ruleColumns = ({ policyRules: t }: Tables) => ({
  id: t.id,
  createdAt: t.createdAt,
  updatedAt: t.updatedAt,
  version: t.version,
  scopeType: t.scopeType,
  scopeId: t.scopeId,
  subject: t.subject,
  actions: t.actions,
  fields: t.fields,
  conditions: t.conditions,
  inverted: t.inverted,
  priority: t.priority,
  note: t.note,
});

/** What is saved was checked: its actions are such. */
export type PolicyRule = Omit<Tables["policyRules"]["$inferSelect"], "actions"> & { actions: Action[] };

const inScope = ({ policyRules }: Tables, type: RuleScope, id: SQL) =>
  and(eq(policyRules.scopeType, sql.raw(`'${type}'`)), eq(policyRules.scopeId, id));

/**
 * Names exactly the rules of whoever stands in these columns: their ids with their versions, in no order; null where there are none. A rule
 * that is changed has another version, also by direct SQL (sql/<dialect>/020_touch.sql), so a stamp stands for the same rules for ever, and
 * what is remembered by it is never outdated.
 */
export function rulesStamp(dialect: Dialect, tables: Tables, whose: Partial<Record<RuleScope, SQL>>) {
  const { policyRules: t } = tables;
  const joined = sql.raw(dialect === "pg" ? "string_agg" : "group_concat");
  const mine = or(...ruleScopes.map((type) => whose[type] && inScope(tables, type, whose[type])));
  return sql<string | null>`(select ${joined}(${t.id} || ':' || ${t.version}, ',') from ${t} where ${mine})`;
}

/** Weakest first: those of the role, of the user, of the key; within each by priority, then the older first. */
const selectRules = (q: Builders, tables: Tables) =>
  q
    .select(ruleColumns(tables))
    .from(tables.policyRules)
    .where(or(...ruleScopes.map((type) => inScope(tables, type, sql`${sql.placeholder(type)}`))))
    .orderBy(
      sql`case ${tables.policyRules.scopeType} ${sql.raw(byPrecedence)} end`,
      tables.policyRules.priority,
      tables.policyRules.id,
    );
const byPrecedence = ruleScopes.map((type, i) => `when '${type}' then ${i}`).join(" ");

const selectRule = (q: Builders, tables: Tables) =>
  q
    .select(ruleColumns(tables))
    .from(tables.policyRules)
    .where(eq(tables.policyRules.id, sql.placeholder("id")));

const selectPerson = (q: Builders, { users }: Tables) =>
  q
    .select({ id: users.id, role: users.role })
    .from(users)
    .where(eq(users.id, sql.placeholder("id")));

export const insertRule = (q: Builders, { policyRules }: Tables) =>
  q.insert(policyRules).values(placeholders(policyRules));

/** Writes the whole next state over the version that was seen: `seen` is bound beside the row. */
export const updateRule = (q: Builders, { policyRules: t }: Tables) =>
  q
    .update(t)
    .set({
      actions: value("actions", t.actions) as never,
      fields: value("fields", t.fields) as never,
      conditions: value("conditions", t.conditions) as never,
      inverted: value("inverted", t.inverted),
      priority: value("priority", t.priority),
      note: value("note", t.note),
      updatedAt: value("updatedAt", t.updatedAt),
      version: value("version", t.version),
    })
    .where(and(eq(t.id, sql.placeholder("id")), eq(t.version, sql.placeholder("seen"))));

export const deleteRule = (q: Builders, { policyRules: t }: Tables) =>
  q.delete(t).where(and(eq(t.id, sql.placeholder("id")), eq(t.version, sql.placeholder("seen"))));

export function createRuleStore(db: Db) {
  const columns = ruleColumns(db.tables);
  const list = pages<PolicyRule>(db, {
    columns: ruleColumns,
    from: (q, { policyRules }, selected) => q.select(selected as typeof columns).from(policyRules) as never,
  });
  return {
    async find(id: string, reads: Reads): Promise<PolicyRule | null> {
      const [row] = await db.all(db.prepare(selectRule)({ id }), reads);
      return (row as PolicyRule | undefined) ?? null;
    },
    page: (ctx: Context, input: ListInput): Promise<Page<PolicyRule>> =>
      list(input, whereListed(ctx.ability, "PolicyRule", columns, input), ctx),
    /** The rules that are stored for an actor, the weakest first. */
    rulesOf: (actor: Ruled): Promise<PolicyRule[]> =>
      db.all(db.prepare(selectRules)(scopeIdsOf(actor)), fresh) as Promise<PolicyRule[]>,
    /** A person as an actor. Also one whose account has ended: what they could do is still a question. */
    async person(id: string): Promise<Person | null> {
      const [row] = await db.all(db.prepare(selectPerson)({ id }), fresh);
      return row ? { type: "user", id: row.id, role: row.role, sessionId: null } : null;
    },
  };
}
