/** The AbilityFactory on CASL, with a closed list of operators and one meaning of NULL: the one that SQL can keep too. */
import { type ConditionsMatcher, createMongoAbility, type MongoQuery, type RawRuleOf } from "@casl/ability";
import * as ucast from "@ucast/mongo2js";
import type { Actor } from "../core/actor.ts";
import type {
  Ability,
  AbilityFactory,
  Action,
  Allow,
  Rule,
  RuleOrigin,
  Rules,
  StoredRule,
  Subject,
} from "./ability.ts";
import { asksForActor, lacks, withActor } from "./actor-values.ts";
import { matcherOf } from "./match.ts";

type RawRule = RawRuleOf<Ability>;

const made = new WeakSet<Ability>();

/**
 * What a row shows of itself to whoever may see it, whichever fields a rule names: without its id nobody could refer to it, without its
 * version nobody could change it safely, and lists are sorted by its times.
 */
export const alwaysShown: ReadonlySet<string> = new Set(["id", "createdAt", "updatedAt", "version"]);
const SEEING: readonly Action[] = ["read", "list", "manage"];

/**
 * An AbilityFactory over layers of rules, each of which decides over those before it: what the modules give, in their order, what
 * administrators have stored for the actor, and at last the modules' guards, which no stored rule can take back.
 */
export function caslAbilities(
  modules: Readonly<Record<string, Rules>>,
  guards: Readonly<Record<string, Rules>> = {},
): AbilityFactory {
  const given = layer("module", modules);
  const guarded = layer("guard", guards);
  return {
    abilityFor(actor: Actor, stored: readonly StoredRule[] = []): Ability {
      const rules: RawRule[] = [];
      for (const { origin, give } of given) give(actor, allowInto(rules, origin));
      for (const rule of stored) addStored(rules, rule, actor);
      for (const { origin, give } of guarded) give(actor, allowInto(rules, origin));
      const ability = createMongoAbility<Ability>(rules, { conditionsMatcher, detectSubjectType });
      made.add(ability);
      return ability;
    },
  };
}

const layer = (layer: RuleOrigin["layer"], modules: Readonly<Record<string, Rules>>) =>
  Object.entries(modules).map(([name, give]) => ({ origin: { layer, name }, give }));

/** Throws for an ability that compares by other rules than `compare`: its SQL would not agree with its `can()`. */
export function assertMade(ability: Ability): void {
  if (!made.has(ability)) throw new Error("policy: only abilities made by caslAbilities are understood");
}

/** The layer and the module, or the stored rule, that a rule of an ability comes from. */
export function originOf(rule: Rule): RuleOrigin {
  const { from } = rule.origin as Given;
  if (!from) throw new Error("policy: only rules of abilities made by caslAbilities have an origin");
  return from;
}

/** Whether it is a stored rule of a role whose conditions hold no value of the actor: there are few such, and many who have them. */
export const isShared = (rule: Rule): boolean => (rule.origin as Given).shared === true;

/** A rule as CASL takes it. It keeps the object, and what it does not know stays on it. */
interface Given {
  action: Listed<Action>;
  subject: Listed<Subject>;
  fields?: readonly string[];
  conditions?: unknown;
  inverted: boolean;
  from?: RuleOrigin;
  /** Its conditions are the same for each actor that has it, and they are many. */
  shared?: boolean;
}
type Listed<T> = T | readonly T[];

/** `Allow` types conditions by the row, and takes fewer operators than CASL's own types do. */
function allowInto(rules: RawRule[], from: RuleOrigin): Allow {
  const giving =
    (inverted: boolean) =>
    (action: Listed<Action>, subject: Listed<Subject>, fieldsOrConditions?: unknown, conditions?: unknown): void => {
      if (typeof fieldsOrConditions === "string")
        addWithFields(rules, { action, subject, fields: [fieldsOrConditions], conditions, inverted, from });
      else if (Array.isArray(fieldsOrConditions))
        addWithFields(rules, { action, subject, fields: fieldsOrConditions, conditions, inverted, from });
      else add(rules, { action, subject, conditions: fieldsOrConditions, inverted, from });
    };
  return { can: giving(false), cannot: giving(true) } as Allow;
}

function addStored(rules: RawRule[], rule: StoredRule, actor: Actor): void {
  const { id, scopeType, actions, subject, fields, inverted } = rule;
  // Nobody is given more by what they do not have. What refuses goes by what the row says: no row is of no organization.
  if (!inverted && lacks(rule.conditions, actor)) return;
  const conditions = rule.conditions === null ? undefined : withActor(rule.conditions, actor);
  const shared = scopeType === "role" && !asksForActor(rule.conditions);
  const from: RuleOrigin = { layer: scopeType, name: id };
  const given: Given = { action: actions, subject, conditions, inverted, from, shared };
  if (fields === null) add(rules, given);
  else addWithFields(rules, { ...given, fields });
}

const add = (rules: RawRule[], given: Given) => rules.push(given as unknown as RawRule);

function addWithFields(rules: RawRule[], given: Given & { fields: readonly string[] }): void {
  const { action, fields, inverted } = given;
  const all = typeof action === "string" ? [action] : action;
  const seeing = all.filter((one) => SEEING.includes(one));
  const others = seeing.length === 0 ? all : all.filter((one) => !SEEING.includes(one));
  if (others.length > 0) add(rules, { ...given, action: others });
  if (seeing.length === 0) return;
  const named = fields.filter((field) => !alwaysShown.has(field));
  if (!inverted) add(rules, { ...given, action: seeing, fields: [...alwaysShown, ...named] });
  else if (named.length > 0) add(rules, { ...given, action: seeing, fields: named });
}

const { $and, $or, $nor, $not, $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin } = ucast;
const parser = new ucast.MongoQueryParser({ $and, $or, $nor, $not, $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin });

/** @throws Error for operators that are not known. */
export const parseConditions = (conditions: Record<string, unknown>): ucast.Condition => parser.parse(conditions);

/** CASL asks for it when a rule is first looked at; the function is made when a row is first judged, which SQL mostly does instead. */
const conditionsMatcher = ((conditions) => {
  const ast = parseConditions(conditions);
  let fits: ReturnType<typeof matcherOf> | undefined;
  const matches = (row: Record<string, unknown>) => {
    fits ??= matcherOf(ast);
    return fits(row);
  };
  matches.ast = ast;
  return matches;
}) as ConditionsMatcher<MongoQuery>;

/** A row is judged by `may`, which names its subject. CASL would take an unmarked row for a subject "Object", and pass over rules. */
function detectSubjectType(marked: object): Subject {
  const { __caslSubjectType__: subject } = marked as { __caslSubjectType__?: Subject };
  if (subject === undefined) throw new TypeError("policy: a row does not say what subject it is; ask may()");
  return subject;
}
