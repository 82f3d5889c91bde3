/** Why an ability allows or refuses: which rule decides, and what would have to hold. */
import { AppError, type ErrorCode, type InputFault } from "../core/error.ts";
import type { Ability, Action, Rule, RuleOrigin, Subject } from "./ability.ts";
import { originOf } from "./casl.ts";
import { describe } from "./describe.ts";
import { complete, planOf, questionsOf } from "./may.ts";

/** Of one action on one subject, or on one row or field of it. */
export interface Explanation {
  action: Action;
  field: string | null;
  /** Null where it depends on the row, and none was given. */
  allowed: boolean | null;
  /** The rule that decides; null where no rule fits, or it depends on the row. */
  decidedBy: RuleOrigin | null;
  /** The rules that there are to it, the strongest first: the first one that fits decides. */
  rules: RuleExplanation[];
  /** What would have to hold of a row, each line by itself. Empty where nothing can help, or nothing is needed. */
  needs: string[];
}

export interface RuleExplanation extends RuleOrigin {
  effect: "allows" | "refuses";
  /** Null for every row. */
  conditions: string | null;
  /** Whether it fits the row; null where none was given and it depends on that. */
  fits: boolean | null;
}

export interface About {
  /** With every column that conditions look at. */
  row?: object | null;
  field?: string | null;
}

/** One explanation for each action that is asked for: what is listed is read too. */
export const explain = (ability: Ability, action: Action, subject: Subject, about: About = {}): Explanation[] =>
  questionsOf(action).map((asked) =>
    explainOne(ability, asked, subject, asked === "list" ? { ...about, field: null } : about),
  );

function explainOne(ability: Ability, action: Action, subject: Subject, { row, field = null }: About): Explanation {
  const plan = planOf(ability, action, subject);
  const rules = field === null ? plan.rules : plan.rulesOf(field);
  const values = row && complete(plan, row);
  const told = rules.map((rule): RuleExplanation => {
    const fits = values ? rule.matchesConditions(values as never) : rule.ast ? null : true;
    const { layer, name } = originOf(rule);
    return {
      layer,
      name,
      effect: rule.inverted ? "refuses" : "allows",
      conditions: rule.ast ? describe(rule.ast) : null,
      fits,
    };
  });
  const { allowed, decider } = decide(told);
  const decidedBy = decider && { layer: decider.layer, name: decider.name };
  return { action, field, allowed, decidedBy, rules: told, needs: allowed === true ? [] : needsOf(rules, told) };
}

/** Without a row, the rules up to the first one that is about every row have to agree. */
function decide(rules: readonly RuleExplanation[]): { allowed: boolean | null; decider: RuleExplanation | null } {
  const certain = rules.findIndex(({ fits }) => fits === true);
  const before = rules.slice(0, certain === -1 ? undefined : certain).filter(({ fits }) => fits === null);
  const last = rules[certain] ?? null;
  const outcome = last?.effect ?? "refuses";
  if (before.some(({ effect }) => effect !== outcome)) return { allowed: null, decider: null };
  return { allowed: outcome === "allows", decider: before.length === 0 ? last : null };
}

/** For each rule that allows: that its conditions hold, and none of those stronger ones that refuse. */
function needsOf(rules: readonly Rule[], told: readonly RuleExplanation[]): string[] {
  const unless: string[] = [];
  const needs: string[] = [];
  for (const [i, { inverted }] of rules.entries()) {
    const { conditions } = told[i] as RuleExplanation;
    if (!inverted) needs.push([conditions ?? "any row", ...unless.map((text) => `not (${text})`)].join(", and "));
    else if (conditions === null) break;
    else unless.push(conditions);
  }
  return [...new Set(needs)];
}

/** The explanation as lines for a person. */
export function linesOf(subject: Subject, { action, field, allowed, decidedBy, rules, needs }: Explanation): string[] {
  const what = `${action} ${subject}${field === null ? "" : `, field ${field}`}`;
  const verdict = allowed === null ? "depends on the row" : allowed ? "allowed" : "refused";
  const by = decidedBy
    ? ` by ${nameOf(decidedBy)}`
    : rules.length === 0
      ? ": no rule is about it"
      : allowed === false
        ? ": no rule that allows it fits"
        : "";
  return [
    `${what}: ${verdict}${by}`,
    ...rules.map((rule) => {
      const fit = rule.fits === null ? "" : rule.fits ? " (fits)" : " (does not fit)";
      return `  ${nameOf(rule)} ${rule.effect} it${rule.conditions === null ? "" : ` where ${rule.conditions}`}${fit}`;
    }),
    ...needs.map((text) => `  it would be allowed where: ${text}`),
  ];
}

const layers: Record<RuleOrigin["layer"], string> = {
  module: "the module",
  role: "the role's rule",
  user: "the user's rule",
  apiKey: "the key's rule",
  guard: "the guard of",
};
const nameOf = ({ layer, name }: RuleOrigin) => `${layers[layer]} ${name}`;

interface Refusal {
  errors?: InputFault[];
  detail?: string;
  row?: object;
  /** The fields that it was about; without them it was about the row. */
  fields?: readonly string[];
}

/** The error that a decision of the policy becomes. In development its problem document says why. */
export function refused(
  code: Extract<ErrorCode, "forbidden" | "not_found" | "unauthenticated">,
  ability: Ability,
  action: Action,
  subject: Subject,
  { errors, detail, row, fields }: Refusal = {},
): AppError {
  const about = (fields ?? [null]).map((field) => ({ field, ...(row && { row }) }));
  return new AppError(code, {
    ...(errors && { errors }),
    ...(detail !== undefined && { detail }),
    explain: () => about.flatMap((one) => explain(ability, action, subject, one).flatMap((it) => linesOf(subject, it))),
  });
}
