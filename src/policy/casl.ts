/** The AbilityFactory on CASL, with a closed list of operators and one meaning of NULL: the one that SQL can keep too. */
import { AbilityBuilder, type ConditionsMatcher, createMongoAbility, type MongoQuery } from "@casl/ability";
import * as ucast from "@ucast/mongo2js";
import type { Actor } from "../core/actor.ts";
import type { Ability, AbilityFactory, Allow, Rules, Subject } from "./ability.ts";

const made = new WeakSet<Ability>();

/** An AbilityFactory over the rules of all modules, in their order: of the rules that fit, the last one decides. */
export function caslAbilities(rules: readonly Rules[]): AbilityFactory {
  return {
    abilityFor(actor: Actor): Ability {
      const { can, cannot, build } = new AbilityBuilder<Ability>(createMongoAbility);
      // CASL types conditions by its own notion of a subject; `Allow` types them by the row, and takes fewer operators.
      const allow = { can, cannot } as unknown as Allow;
      for (const give of rules) give(actor, allow);
      const ability = build({ conditionsMatcher, detectSubjectType });
      made.add(ability);
      return ability;
    },
  };
}

/** Throws for an ability that compares by other rules than `compare`: its SQL would not agree with its `can()`. */
export function assertMade(ability: Ability): void {
  if (!made.has(ability)) throw new Error("policy: only abilities made by caslAbilities are understood");
}

const { $and, $or, $nor, $not, $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin } = ucast;
const { and, or, nor, not, eq, ne, gt, gte, lt, lte, within, nin } = ucast;

const conditionsMatcher = ucast.createFactory(
  { $and, $or, $nor, $not, $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin },
  { and, or, nor, not, eq, ne, gt, gte, lt, lte, in: within, nin },
  { compare },
) as unknown as ConditionsMatcher<MongoQuery>;

/**
 * The order of two values. ucast's own compares as JavaScript does, where null counts as 0 or sorts below everything: a rule about
 * `publishedAt: { $lt: now }` would fit rows that were never published. Here, as in SQL, null has no place in the order.
 */
function compare(value: unknown, bound: unknown): -1 | 0 | 1 {
  if (value === bound) return 0;
  if (value === null || value === undefined || bound === null || bound === undefined) return incomparable;
  if (typeof value !== typeof bound && !Array.isArray(value)) {
    throw new TypeError(`policy: a condition compares a ${typeof value} with a ${typeof bound}`);
  }
  return value > bound ? 1 : value < bound ? -1 : incomparable;
}

/** ucast asks only `=== 0`, `=== 1` and `=== -1`: this is none of them. */
const incomparable = Number.NaN as 0;

/** A row is judged by `may`, which names its subject. CASL would take an unmarked row for a subject "Object", and pass over rules. */
function detectSubjectType(marked: object): Subject {
  const { __caslSubjectType__: subject } = marked as { __caslSubjectType__?: Subject };
  if (subject === undefined) throw new TypeError("policy: a row does not say what subject it is; ask may()");
  return subject;
}
