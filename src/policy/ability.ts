import type { MongoAbility } from "@casl/ability";

export type Action = "create" | "read" | "update" | "delete" | "manage";
export type Subject = "User" | "AuditEntry" | "all";
export type Ability = MongoAbility<[Action, Subject]>;
