/** What an actor may do, in types. The library behind an `Ability` is made in casl.ts alone. */
import type { MongoAbility } from "@casl/ability";
import type { Tables } from "../../db/tables.ts";
import type { RuleScope } from "../../db/tables-policy.ts";
import type { Actor } from "../core/actor.ts";

export const actions = ["create", "list", "read", "update", "delete", "manage"] as const;
export type Action = (typeof actions)[number];

/** The subjects, and the row that each one's conditions are about. A module with a table of its own adds a line. */
interface SubjectRows {
  User: Tables["users"]["$inferSelect"];
  Session: Tables["sessions"]["$inferSelect"];
  AuditEntry: Tables["auditEntries"]["$inferSelect"];
  AuditSeal: Tables["auditSeals"]["$inferSelect"];
  Job: Tables["jobs"]["$inferSelect"] & { priority: number };
  Queue: { name: string };
  Schedule: Tables["schedules"]["$inferSelect"];
  PolicyRule: Tables["policyRules"]["$inferSelect"];
  /** How the service is: not a row. */
  Health: Record<never, never>;
}

export type Subject = keyof SubjectRows | "all";

/** What one actor may do. It is made once and never updated: what is derived from it is remembered by its identity. */
export type Ability = MongoAbility<[Action, Subject]>;

/** One rule of an ability, as CASL has understood it. */
export type Rule = ReturnType<Ability["rulesFor"]>[number];

/**
 * From an actor, and what is stored for it, to what it may do. Cheap (tens of µs), pure, and not memoised: a caller that meets an actor
 * again may keep it for as long as the rules are the same.
 */
export interface AbilityFactory {
  abilityFor(actor: Actor, stored?: readonly StoredRule[]): Ability;
}

/** A rule that an administrator has made, once it was checked (rule-check.ts). A list of them is in the order in which they take precedence. */
export interface StoredRule {
  readonly id: string;
  readonly scopeType: RuleScope;
  readonly actions: readonly Action[];
  readonly subject: Subject;
  /** Null for all of them. */
  readonly fields: readonly string[] | null;
  /** Values may be those of the actor (actor-values.ts). Null for every row. */
  readonly conditions: Readonly<Record<string, unknown>> | null;
  readonly inverted: boolean;
}

/** Where a rule comes from. */
export interface RuleOrigin {
  /** In the order of precedence, the last one decides. */
  readonly layer: "module" | RuleScope | "guard";
  /** The module's name, or the id of the stored rule. */
  readonly name: string;
}

/** What a module contributes: its grants and refusals for an actor. Of the rules that fit a row, the last one given decides. */
export type Rules = (actor: Actor, allow: Allow) => void;

export interface Allow {
  can: Give;
  cannot: Give;
}

interface Give {
  <S extends Subject>(action: Action | Action[], subject: S | S[], conditions?: Conditions<RowOf<S>>): void;
  <S extends Subject>(
    action: Action | Action[],
    subject: S | S[],
    fields: FieldOf<S> | FieldOf<S>[],
    conditions?: Conditions<RowOf<S>>,
  ): void;
}

type RowOf<S extends Subject> = S extends keyof SubjectRows ? SubjectRows[S] : Record<never, never>;
type FieldOf<S extends Subject> = string & keyof RowOf<S>;

/** Which rows a rule is about: all of the named fields fit. Only what SQL can say too (condition.ts). */
type Conditions<R> = { [K in keyof R]?: R[K] | Comparisons<R[K]> } & {
  $and?: Conditions<R>[];
  $or?: Conditions<R>[];
  $nor?: Conditions<R>[];
};

/** Null equals null, differs from every value, and is neither smaller nor greater than any. */
interface Comparisons<V> {
  $eq?: V;
  $ne?: V;
  $gt?: NonNullable<V>;
  $gte?: NonNullable<V>;
  $lt?: NonNullable<V>;
  $lte?: NonNullable<V>;
  $in?: V[];
  $nin?: V[];
  $not?: Comparisons<V>;
}
