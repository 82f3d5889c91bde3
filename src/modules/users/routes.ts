import { AppError } from "../../core/error.ts";
import { type Route, route } from "../../http/route.ts";
import type { Context } from "../../policy/context.ts";
import {
  NewUser,
  ProfileChanges,
  UserChanges,
  UserDto,
  UserParams,
  userChanges,
  userExample,
  userList,
} from "./schema.ts";
import type { Users } from "./service.ts";

const tag = { name: "Users", description: "People's accounts: one's own, and for administrators all of them." };
const answer = UserDto;

export const userRoutes = ({ users }: { users: Users }): Route[] => [
  route({
    method: "get",
    path: "/v1/me",
    id: "getMe",
    tag,
    summary: "Show the account that is logged in",
    description: "With the fields that its owner may see.",
    access: ["read", "User"],
    permissions: { changes: Object.keys(ProfileChanges.shape) },
    problems: ["not_found"],
    answer,
    versioned: true,
    examples: { answer: userExample },
    handler: ({ ctx }) => users.get(ctx, self(ctx)),
  }),
  route({
    method: "patch",
    path: "/v1/me",
    id: "updateMe",
    tag,
    summary: "Change the account that is logged in",
    description: "Only what its owner may change. What is left out stays as it is.",
    access: ["update", "User"],
    problems: ["not_found"],
    body: ProfileChanges,
    answer,
    versioned: true,
    examples: { body: { name: "Ada King" }, answer: { ...userExample, name: "Ada King", version: 2 } },
    handler: ({ ctx, body, ifMatch }) => users.update(ctx, self(ctx), body, ifMatch),
  }),
  route({
    method: "get",
    path: "/v1/users",
    id: "listUsers",
    tag,
    summary: "List accounts",
    description: "Newest first, unless `sort` says otherwise. Accounts that have ended are not in it.",
    access: ["list", "User"],
    permissions: { changes: userChanges },
    list: userList,
    answer,
    examples: { answer: userExample },
    handler: ({ ctx, list }) => users.list(ctx, list),
  }),
  route({
    method: "post",
    path: "/v1/users",
    id: "createUser",
    tag,
    summary: "Create an account",
    description: "For somebody else, with any role. Without a password, the account cannot log in yet.",
    access: ["create", "User"],
    body: NewUser,
    status: 201,
    answer,
    versioned: true,
    location: ({ id }) => `/v1/users/${id}`,
    examples: { body: { email: "ada@example.com", name: "Ada Lovelace", role: "user" }, answer: userExample },
    handler: ({ ctx, body }) => users.create(ctx, body),
  }),
  route({
    method: "get",
    path: "/v1/users/{id}",
    id: "getUser",
    tag,
    summary: "Show an account",
    description: "With the fields that the actor may see. An account that it may not see does not exist for it.",
    access: ["read", "User"],
    permissions: { changes: userChanges },
    params: UserParams,
    answer,
    versioned: true,
    examples: { answer: userExample },
    handler: ({ ctx, params }) => users.get(ctx, params.id),
  }),
  route({
    method: "patch",
    path: "/v1/users/{id}",
    id: "updateUser",
    tag,
    summary: "Change an account",
    description: "What is left out stays as it is. A changed role takes effect with the account's next request.",
    access: ["update", "User"],
    params: UserParams,
    body: UserChanges,
    answer,
    versioned: true,
    examples: { body: { role: "admin" }, answer: { ...userExample, role: "admin", version: 2 } },
    handler: ({ ctx, params, body, ifMatch }) => users.update(ctx, params.id, body, ifMatch),
  }),
  route({
    method: "delete",
    path: "/v1/users/{id}",
    id: "deleteUser",
    tag,
    summary: "End an account",
    description:
      "Ends its sessions at once. Its e-mail address can be registered again; what it did stays in the audit trail.",
    access: ["delete", "User"],
    params: UserParams,
    versioned: true,
    handler: ({ ctx, params, ifMatch }) => users.remove(ctx, params.id, ifMatch),
  }),
];

function self({ actor }: Context): string {
  if (actor.type !== "user") throw new AppError("not_found", { detail: "This actor is no person." });
  return actor.id;
}
