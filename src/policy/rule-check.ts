/**
 * Whether a rule that is to be stored can be understood: its names exist, and its conditions are such that SQL judges them as `can()` does.
 * Each comparison is judged by the translator itself (condition.ts), so that nothing is saved that a request would fail on.
 */
import { pgTables } from "../../db/tables.ts";
import type { Actor } from "../core/actor.ts";
import type { Action, StoredRule, Subject } from "./ability.ts";
import { actions } from "./ability.ts";
import { actorVariable, actorVariables, withActor } from "./actor-values.ts";
import { parseConditions } from "./casl.ts";
import { type Columns, toTest } from "./condition.ts";
import { isSubject, nameable, type Subjects } from "./subjects.ts";

/** A rule as it comes in, or as it was stored. */
export interface RuleDraft {
  subject: string;
  actions: readonly string[];
  fields: readonly string[] | null;
  conditions: Readonly<Record<string, unknown>> | null;
  inverted: boolean;
}

/** A place in the draft (RFC 6901), and what is wrong there. */
export interface RuleFault {
  pointer: string;
  detail: string;
}

const MAX_DEPTH = 5;
/** D1 binds 100 values a statement, and an actor has several rules. */
const MAX_VALUES = 30;
const LOGICAL = new Set(["$and", "$or", "$nor"]);
const LISTS = new Set(["$in", "$nin"]);
/** Any person: of a variable only the kind of its value is judged. */
const somebody: Actor = { type: "user", id: "user_0", role: "user", sessionId: null, organizationId: "org_0" };

/** What is wrong with the draft; nothing when it can be stored. By PostgreSQL's types, on each engine: SQLite knows a time for a text. */
export function faultsOf(draft: RuleDraft, subjects: Subjects): RuleFault[] {
  const { subject } = draft;
  if (subject !== "all" && !isSubject(subjects, subject))
    return [{ pointer: "/subject", detail: `is not a subject: ${[...Object.keys(subjects), "all"].join(", ")}` }];
  if (subject === "PolicyRule") return [{ pointer: "/subject", detail: "is decided by the code alone" }];
  const spec = subject === "all" ? null : subjects[subject];
  const names = spec ? nameable(spec) : [];
  const columns = spec?.columns?.(pgTables) ?? null;
  const judged = (name: string) =>
    (name === "manage" ? actions : [name as Action]).every((one) => one === "manage" || spec?.judged.includes(one));
  const wholesale = draft.actions.find((name) => !judged(name));
  const unjudged = (part: "fields" | "conditions"): RuleFault[] =>
    draft[part] === null || wholesale === undefined
      ? []
      : [{ pointer: `/${part}`, detail: `${wholesale} ${subject} is allowed as a whole or not at all` }];
  return [
    ...draft.actions.flatMap((name, i) =>
      actions.includes(name as Action)
        ? []
        : [{ pointer: `/actions/${i}`, detail: `is not an action: ${actions.join(", ")}` }],
    ),
    ...unjudged("fields"),
    ...unjudged("conditions"),
    ...(draft.fields ?? []).flatMap((name, i) => (names.includes(name) ? [] : [fieldFault(i, subject, names)])),
    ...(draft.conditions ? conditionFaults(draft.conditions, columns, subject) : []),
  ];
}

/** The stored rule in the types of the policy. Only for a draft without faults. */
export const toRule = (id: string, scopeType: StoredRule["scopeType"], draft: RuleDraft): StoredRule => ({
  id,
  scopeType,
  subject: draft.subject as Subject,
  actions: draft.actions as Action[],
  fields: draft.fields,
  conditions: draft.conditions,
  inverted: draft.inverted,
});

const fieldFault = (i: number, subject: string, names: readonly string[]): RuleFault => ({
  pointer: `/fields/${i}`,
  detail:
    names.length > 0 ? `is not a field that rules about ${subject} can name: ${names.join(", ")}` : "has no fields",
});

function conditionFaults(conditions: object, columns: Columns | null, subject: string): RuleFault[] {
  if (!columns) return [{ pointer: "/conditions", detail: `${subject} has no columns that conditions could look at` }];
  const faults: RuleFault[] = [];
  let values = 0;
  const fault = (pointer: string, detail: string) => faults.push({ pointer, detail });

  /** One comparison, as the translator judges it. */
  function compare(pointer: string, field: string, comparison: unknown): void {
    values++;
    const variable = valueIn(comparison);
    if (variable !== null && !(actorVariables as readonly string[]).includes(variable))
      return void fault(pointer, `there is no actor variable "${variable}": ${actorVariables.join(", ")}`);
    translate(pointer, { [field]: comparison });
  }

  function translate(pointer: string, part: object): void {
    try {
      toTest(parseConditions(withActor(part, somebody) as Record<string, unknown>), columns as Columns);
    } catch (error) {
      fault(pointer, (error as Error).message.replace(/^policy: /, ""));
    }
  }

  function operators(pointer: string, field: string, given: object, depth: number): void {
    if (depth > MAX_DEPTH) return void fault(pointer, `is nested deeper than ${MAX_DEPTH} levels`);
    for (const [operator, value] of Object.entries(given)) {
      const at = `${pointer}/${escaped(operator)}`;
      if (operator === "$actor") fault(at, "stands alone, in the place of a value");
      else if (operator === "$not" && isOperators(value)) operators(at, field, value, depth + 1);
      else if (LISTS.has(operator)) {
        if (!Array.isArray(value) || value.length === 0) fault(at, "is not a list of at least one value");
        else for (const [i, item] of value.entries()) compare(`${at}/${i}`, field, { [operator]: [item] });
      } else compare(at, field, { [operator]: value });
    }
  }

  function whole(pointer: string, given: unknown, depth: number): void {
    if (!isObject(given)) return void fault(pointer, "is not an object of conditions");
    if (depth > MAX_DEPTH) return void fault(pointer, `is nested deeper than ${MAX_DEPTH} levels`);
    if (Object.keys(given).length === 0) fault(pointer, "has no conditions");
    for (const [key, value] of Object.entries(given)) {
      const at = `${pointer}/${escaped(key)}`;
      if (LOGICAL.has(key)) {
        if (!Array.isArray(value) || value.length === 0)
          fault(at, "is not a list of at least one object of conditions");
        else for (const [i, part] of value.entries()) whole(`${at}/${i}`, part, depth + 1);
      } else if (key.startsWith("$")) fault(at, `the operator ${key} is not known here`);
      else if (!Object.hasOwn(columns as Columns, key)) fault(at, `${subject} has no column "${key}"`);
      else if (isOperators(value)) operators(at, key, value, depth);
      else compare(at, key, value);
    }
  }

  whole("/conditions", conditions, 1);
  if (faults.length === 0) translate("/conditions", conditions);
  if (values > MAX_VALUES) fault("/conditions", `compares with ${values} values; at most ${MAX_VALUES} are possible`);
  return faults;
}

const escaped = (key: string) => key.replaceAll("~", "~0").replaceAll("/", "~1");
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
/** An object of operators, and not a value of the actor. */
const isOperators = (value: unknown): value is Record<string, unknown> =>
  isObject(value) && actorVariable(value) === null && Object.keys(value).length > 0;

/** The actor variable that a comparison is with. */
function valueIn(comparison: unknown): string | null {
  const own = actorVariable(comparison);
  if (own !== null || !isObject(comparison)) return own;
  const [value] = Object.values(comparison);
  return actorVariable(Array.isArray(value) ? value[0] : value);
}
