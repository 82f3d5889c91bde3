/** As what else somebody acts. The trail tells it with each entry, and a job keeps it for its own. Absent: nothing of it. */
interface Acting {
  /** The person behind one who acts as another. */
  impersonatorId?: string;
  /** The key that a person has shown in place of a login. A key that acts for itself is the actor. */
  apiKeyId?: string;
  /** The organization in which it is done. */
  organizationId?: string;
}

/** Who acts. Every verb, whether it came by HTTP, from a job or from the command line, is done by one of these. */
export type Actor =
  | { type: "anonymous" }
  /** `sessionId` is null for a person who has no session yet, because they are just registering. */
  | ({ type: "user"; id: string; role: Role; sessionId: string | null } & Acting)
  | ({ type: "apiKey"; id: string; role: Role } & Acting)
  | ({ type: "system"; id: string } & Acting);

export type Person = Extract<Actor, { type: "user" }>;
/** Whom stored rules can be about: a person, with a key or without one, and a key that acts for itself. */
export type Ruled = Extract<Actor, { role: Role }>;

export const roles = ["admin", "user"] as const;
export type Role = (typeof roles)[number];

export const anonymous: Actor = { type: "anonymous" };
export const actorId = (actor: Actor): string | null => (actor.type === "anonymous" ? null : actor.id);
/** Tells apart who may be answered differently: with a key, a person goes by the key's rules too. Null for strangers, who are nobody. */
export function identityOf(actor: Actor): string | null {
  if (actor.type === "anonymous") return null;
  return `${actor.type}:${actor.id}${actor.apiKeyId === undefined ? "" : ` ${actor.apiKeyId}`}`;
}
/** As the trail writes it. */
export function actingOf(actor: Actor): Record<keyof Acting, string | null> {
  const { impersonatorId, apiKeyId, organizationId }: Acting = actor.type === "anonymous" ? {} : actor;
  return {
    impersonatorId: impersonatorId ?? null,
    apiKeyId: apiKeyId ?? null,
    organizationId: organizationId ?? null,
  };
}
