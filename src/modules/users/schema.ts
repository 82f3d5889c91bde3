import { z } from "zod";
import { roles } from "../../core/actor.ts";
import { idPrefixes } from "../../core/id.ts";
import type { ListSpec } from "../../http/list.ts";
import { baseDto, email, id, instant, line, permissions, prose, shown } from "../../http/schema.ts";

const called = "How the person is called.";
const noted = "A note about the account, for administrators alone.";
const name = line(100).describe(called);
const role = z.enum(roles).describe("What the account may do.");
const remark = prose(2000).nullable().describe(noted);
/** NIST SP 800-63B: length is what counts; no rules of composition. Hashed exactly as it is sent. */
export const password = z
  .string()
  .min(10)
  .max(256)
  .meta({ format: "password", description: "10 to 256 characters, of any kind." });

/** What a new account is when nobody says otherwise. */
export const byDefault: Partial<Record<string, unknown>> & { role: "user"; remark: null } = {
  role: "user",
  remark: null,
};

export const NewUser = z
  .strictObject({
    email: email(),
    name,
    role: role.default(byDefault.role),
    remark: remark.default(byDefault.remark),
    password: password
      .optional()
      .describe("10 to 256 characters, of any kind. Without one, the account cannot log in yet."),
  })
  .meta({ id: "NewUser" });

export const UserChanges = z
  .strictObject({ email: email().optional(), name: name.optional(), role: role.optional(), remark: remark.optional() })
  .meta({ id: "UserChanges", description: "What is to change; the rest stays as it is." });

/** The fields that can be changed: of them a row's permissions tell. */
export const userChanges = Object.keys(UserChanges.shape) as [keyof UserChanges, ...(keyof UserChanges)[]];

/** What is beyond the base can be hidden from an actor by a rule. */
export const UserDto = z
  .object({
    ...baseDto(idPrefixes.user),
    email: shown.email().optional(),
    name: shown.line(100).optional().describe(called),
    role: role.optional(),
    remark: shown.prose(2000).nullable().optional().describe(noted),
    permissions: permissions(userChanges),
  })
  .meta({ id: "User", description: "A person's account, with the fields of it that the actor may see." });

export const ProfileChanges = z
  .strictObject({ name: name.optional() })
  .meta({ id: "ProfileChanges", description: "What is to change; the rest stays as it is." });

export const UserParams = z.strictObject({ id: id(idPrefixes.user) });

export const userList = {
  sort: ["-createdAt", "email", "name"],
  filter: {
    email: { schema: email(), ops: ["eq"] },
    role: { schema: z.enum(roles), ops: ["eq", "in"] },
    createdAt: { schema: instant(), ops: ["gt", "gte", "lt", "lte"] },
  },
  fields: ["id", "createdAt", "updatedAt", "version", "email", "name", "role", "remark"],
} as const satisfies ListSpec;

export type NewUser = z.output<typeof NewUser>;
export type UserChanges = z.output<typeof UserChanges>;

export const userExample = {
  id: "user_01kfyb0m7ve4z9q2x8c5h3n6t1",
  createdAt: "2026-01-31T09:30:00.000Z",
  updatedAt: "2026-01-31T09:30:00.000Z",
  version: 1,
  email: "ada@example.com",
  name: "Ada Lovelace",
  role: "user",
};
