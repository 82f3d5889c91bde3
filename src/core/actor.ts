/** Who acts. Every verb, whether it came by HTTP, from a job or from the command line, is done by one of these. */
export type Actor =
  | { type: "anonymous" }
  /** `sessionId` is null for a person who has no session yet, because they are just registering. */
  | { type: "user"; id: string; role: Role; sessionId: string | null }
  | { type: "apiKey"; id: string; role: Role }
  | { type: "system"; id: string };

/** A person, who may have rules of their own. */
export type Person = Extract<Actor, { type: "user" }>;

export const roles = ["admin", "user"] as const;
export type Role = (typeof roles)[number];

export const anonymous: Actor = { type: "anonymous" };
export const actorId = (actor: Actor): string | null => (actor.type === "anonymous" ? null : actor.id);
