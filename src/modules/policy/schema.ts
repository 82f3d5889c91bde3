import { z } from "zod";
import { ruleScopes } from "../../../db/tables-policy.ts";
import { roles } from "../../core/actor.ts";
import { idPrefixes } from "../../core/id.ts";
import { NAME } from "../../core/name.ts";
import type { ListSpec } from "../../http/list.ts";
import { baseDto, id, name, plainText, prose, shown } from "../../http/schema.ts";
import { actions } from "../../policy/ability.ts";

const object = (about: string) =>
  z.unknown().meta({ type: ["object", "null"], description: about }) as unknown as z.ZodType<Record<
    string,
    unknown
  > | null>;
const key = z
  .string()
  .max(100)
  .regex(/^[\w$.-]*$/, "is not a name");

const told = {
  scopeType:
    "Whether it is about everybody of a role, one user or one API key. Rules of a user decide over those of their role, and rules of a key over those of whoever shows it.",
  scopeId: "The name of the role, or the id of the user or the key.",
  subject: "What it is about, or `all`.",
  actions: "`manage` is every action.",
  fields:
    "The fields that it is about; null for all of them. `id`, `createdAt`, `updatedAt` and `version` are shown with every row.",
  conditions: "The rows that it is about, as in docs/guides/policy.md; null for all of them.",
  inverted: "Whether it refuses what it names.",
  priority: "Of the rules of one scope the greatest decides, and of those with the same the newest.",
  note: "Why it is there.",
};

export const PolicyRuleDto = z
  .object({
    ...baseDto(idPrefixes.policyRule),
    scopeType: z.enum(ruleScopes).describe(told.scopeType),
    scopeId: shown.name().describe(told.scopeId),
    subject: shown.name().describe(told.subject),
    actions: z.array(z.enum(actions)).max(actions.length).describe(told.actions),
    fields: z.array(shown.name().describe("A field.")).max(100).nullable().describe(told.fields),
    conditions: object(told.conditions),
    inverted: z.boolean().describe(told.inverted),
    priority: z.int().meta({ minimum: -1000, maximum: 1000 }).describe(told.priority),
    note: shown.prose(1000).nullable().describe(told.note),
  })
  .meta({ id: "PolicyRule", description: "A rule of permissions that an administrator has made." });

const draft = {
  actions: z.array(z.enum(actions)).min(1).max(actions.length).describe(told.actions),
  fields: z.array(name().describe("A field.")).min(1).max(100).nullable().describe(told.fields),
  conditions: z.record(key, z.unknown()).nullable().describe(told.conditions),
  inverted: z.boolean().describe(told.inverted),
  priority: z.int().min(-1000).max(1000).describe(told.priority),
  note: prose(1000).nullable().describe(told.note),
};

export const NewPolicyRule = z
  .strictObject({
    scopeType: z.enum(ruleScopes).describe(told.scopeType),
    scopeId: name().describe(told.scopeId),
    subject: name().describe(told.subject),
    actions: draft.actions,
    fields: draft.fields.default(null),
    conditions: draft.conditions.default(null),
    inverted: draft.inverted.default(false),
    priority: draft.priority.default(0),
    note: draft.note.default(null),
  })
  .meta({ id: "NewPolicyRule" });

export const PolicyRuleChanges = z.strictObject(draft).partial().meta({
  id: "PolicyRuleChanges",
  description: "What is to change. A rule for others, or about another subject, is another rule.",
});

export const PolicyRuleParams = z.strictObject({ id: id(idPrefixes.policyRule) });

export const policyRuleList = {
  sort: ["-createdAt"],
  filter: {
    scopeType: { schema: z.enum(ruleScopes), ops: ["eq"] },
    scopeId: { schema: name().describe(told.scopeId), ops: ["eq"] },
    subject: { schema: name().describe(told.subject), ops: ["eq"] },
  },
  fields: Object.keys(PolicyRuleDto.shape),
} as const satisfies ListSpec;

export const PolicyQuestion = z
  .strictObject({
    userId: id(idPrefixes.user).nullable().describe("Who would do it; null for somebody who is not logged in."),
    apiKeyId: id(idPrefixes.apiKey)
      .optional()
      .describe("The API key that they show; where `userId` is null, one that acts for itself."),
    role: z.enum(roles).optional().describe("The role of a key that acts for itself."),
    action: z.enum(actions),
    subject: name().describe(told.subject),
    id: z.string().min(1).max(100).regex(NAME, "is not an id").optional().describe("The row that it would be done to."),
    row: z.record(key, z.unknown()).optional().describe("A row that there need not be, in the place of `id`."),
    fields: z.array(name().describe("A field.")).min(1).max(50).optional().describe("Ask of each of these fields."),
  })
  .meta({ id: "PolicyQuestion" });

const origin = {
  layer: z.enum(["module", ...ruleScopes, "guard"]).describe("The last of these decides."),
  name: shown.name().describe("The module, or the id of the rule."),
};
const conditions = plainText(4000).nullable().describe("Null for every row.");

export const PolicyAnswer = z
  .object({
    allowed: z.boolean().nullable().describe("Null where it depends on the row."),
    decisions: z
      .array(
        z.object({
          action: z.enum(actions),
          field: shown.name().describe("The field.").nullable(),
          allowed: z.boolean().nullable(),
          decidedBy: z.object(origin).nullable().describe("Null where no rule fits, or it depends on the row."),
          rules: z
            .array(
              z.object({
                ...origin,
                effect: z.enum(["allows", "refuses"]),
                conditions,
                fits: z.boolean().nullable().describe("Whether it fits the row; null where that is not known."),
              }),
            )
            .max(1000)
            .describe("All that are about it, the strongest first: the first one that fits decides."),
          needs: z
            .array(plainText(20_000))
            .max(1000)
            .describe("Any one of these would have to hold for it to be allowed."),
        }),
      )
      .max(100)
      .describe("One for each field; and what is listed is read too."),
  })
  .meta({ id: "PolicyAnswer", description: "Why an actor may do something, or may not." });

export type NewPolicyRule = z.output<typeof NewPolicyRule>;
export type PolicyRuleChanges = z.output<typeof PolicyRuleChanges>;
export type PolicyQuestion = z.output<typeof PolicyQuestion>;

export const ruleExample = {
  id: "rule_01kfyb0m7ve4z9q2x8c5h3n6t1",
  createdAt: "2026-01-31T09:30:00.000Z",
  updatedAt: "2026-01-31T09:30:00.000Z",
  version: 1,
  scopeType: "role" as const,
  scopeId: "user",
  subject: "User",
  actions: ["list" as const, "read" as const],
  fields: ["name"],
  conditions: { role: { $ne: "admin" } },
  inverted: false,
  priority: 0,
  note: "Members see who else is there.",
};
export const questionExample = {
  userId: "user_01kfyb0m7ve4z9q2x8c5h3n6t1",
  action: "delete" as const,
  subject: "User",
};
export const answerExample = {
  allowed: false,
  decisions: [{ action: "delete" as const, field: null, allowed: false, decidedBy: null, rules: [], needs: [] }],
};
