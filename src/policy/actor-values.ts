/**
 * What stored conditions may know of the actor: `{ "$actor": "id" }` in the place of a value. It is a structure and not a notation inside
 * of texts (`"${actor.id}"`), so that no text that somebody wrote can ever be taken for one, and nothing has to be escaped.
 */
import type { Actor } from "../core/actor.ts";

export const actorVariables = ["id", "role", "organizationId"] as const;
type ActorVariable = (typeof actorVariables)[number];

/** The variable that a value stands for; null when it is a value. */
export function actorVariable(value: unknown): string | null {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "$actor")) return null;
  const { $actor, ...rest } = value as { $actor: unknown };
  return typeof $actor === "string" && Object.keys(rest).length === 0 ? $actor : null;
}

/** Whether the conditions hold a value of the actor. */
export function asksForActor(conditions: unknown): boolean {
  if (typeof conditions !== "object" || conditions === null) return false;
  return actorVariable(conditions) !== null || Object.values(conditions).some(asksForActor);
}

/** Whether the conditions ask for a value that this actor does not have: a person need not act in an organization. */
export function lacks(conditions: unknown, actor: Actor): boolean {
  if (typeof conditions !== "object" || conditions === null) return false;
  const variable = actorVariable(conditions);
  if (variable !== null) return actorValue(variable, actor) === undefined;
  return Object.values(conditions).some((part) => lacks(part, actor));
}

/** The conditions with the actor's values in them: for one that it lacks, a text that no row holds. Throws for an unknown variable. */
export function withActor(conditions: unknown, actor: Actor): unknown {
  if (typeof conditions !== "object" || conditions === null) return conditions;
  const variable = actorVariable(conditions);
  if (variable !== null) return actorValue(variable, actor) ?? "";
  if (Array.isArray(conditions)) return conditions.map((part) => withActor(part, actor));
  return Object.fromEntries(Object.entries(conditions).map(([key, part]) => [key, withActor(part, actor)]));
}

function actorValue(variable: string, actor: Actor): string | undefined {
  if (!actorVariables.includes(variable as ActorVariable)) throw new Error(`policy: no actor has a "${variable}"`);
  return (actor as Partial<Record<ActorVariable, string>>)[variable as ActorVariable];
}
