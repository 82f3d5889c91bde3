import type { Rules } from "../../policy/ability.ts";
import type { SubjectSpec } from "../../policy/subjects.ts";
import { userBase, userColumns } from "./store.ts";

export const userSubject: SubjectSpec = {
  columns: userColumns,
  base: userBase,
  fields: ["email", "name", "role", "remark", "password"],
  judged: ["create", "list", "read", "update", "delete"],
};

/** Administrators do everything; everybody sees and renames themselves. The remark is for administrators alone. */
export const userRules: Rules = (actor, { can }) => {
  if (actor.type === "system") return can("manage", "all");
  if (actor.type !== "user") return;
  if (actor.role === "admin") return can("manage", "User");
  const own = { id: actor.id };
  can("read", "User", ["email", "name", "role"], own);
  can("update", "User", ["name"], own);
};

/** Nobody ends their own account or changes their own role: an administrator who did may have been the last one. */
export const userGuard: Rules = (actor, { cannot }) => {
  if (actor.type !== "user") return;
  cannot("delete", "User", { id: actor.id });
  cannot("update", "User", ["role"], { id: actor.id });
};
