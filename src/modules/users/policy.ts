import type { Rules } from "../../policy/ability.ts";

/** Administrators do everything; everybody sees and renames themselves. The remark is for administrators alone. */
export const userRules: Rules = (actor, { can }) => {
  if (actor.type === "system") return can("manage", "all");
  if (actor.type !== "user") return;
  if (actor.role === "admin") return can("manage", "User");
  const own = { id: actor.id };
  can("read", "User", ["id", "createdAt", "updatedAt", "version", "email", "name", "role"], own);
  can("update", "User", ["name"], own);
};
