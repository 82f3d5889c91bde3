import { z } from "zod";
import { idPrefixes } from "../../core/id.ts";
import type { ListSpec } from "../../http/list.ts";
import { id, instant, name, shown } from "../../http/schema.ts";

const text = (max: number, about: string) => shown.prose(max).nullable().optional().describe(about);
const values = (about: string) =>
  z
    .record(shown.line(200), z.unknown())
    .nullable()
    .optional()
    .describe(`${about}, as far as the reader may read these fields. Of secrets only that they changed.`);

const about = {
  id: shown.id(idPrefixes.auditEntry).describe("Sorts by the time of its making."),
  createdAt: shown.instant().describe("When it was done."),
  actorType: text(100, "`user`, `apiKey`, `system`, `anonymous`, or `database` for SQL beside the API."),
  actorId: text(300, "Who did it; for `database`, the role that was logged in."),
  impersonatorId: text(300, "Who acted as the actor, if it was somebody else."),
  apiKeyId: text(300, "The API key with which the actor did it, in place of a login."),
  organizationId: text(300, "The organization in which it was done."),
  action: text(100, "`<noun>.<verb>`."),
  entityType: text(100, "What it was done to."),
  entityId: text(300, "Which one."),
  oldValue: values("What was before"),
  newValue: values("What is since"),
  reason: text(500, "What was sent as `X-Audit-Reason`."),
  requestId: text(128, "The request that did it, or caused the job that did."),
  traceId: text(32, "Its trace (W3C)."),
  address: text(100, "The address of the client."),
  userAgent: text(300, "What the client calls itself."),
};

export const AuditEntryDto = z
  .object(about)
  .meta({ id: "AuditEntry", description: "What was done, by whom, to what." });

export const AuditChangeDto = z
  .object({
    ...about,
    diff: z.array(shown.prose(1000)).max(1000).optional().describe("The change as lines for a person."),
  })
  .meta({ id: "AuditChange", description: "One step in the life of a row." });

export const HistoryParams = z.strictObject({
  entity: name().describe("What kind of thing, such as `User`."),
  id: name().describe("Which one."),
});

export const ExportParams = z.strictObject({
  number: z
    .string()
    .max(9)
    .regex(/^\d{1,9}$/, "is not the number of a seal")
    .transform(Number)
    .describe("The seal behind which it begins; 0 for the whole trail."),
});

const fields = Object.keys(about);
const createdAt = { schema: instant(), ops: ["gt", "gte", "lt", "lte"] } as const;

export const auditList = {
  sort: ["-createdAt"],
  filter: {
    entityId: { schema: name(), ops: ["eq"] },
    actorId: { schema: name(), ops: ["eq"] },
    organizationId: { schema: name(), ops: ["eq"] },
    action: { schema: name(), ops: ["eq"] },
    createdAt,
  },
  fields,
} as const satisfies ListSpec;

export const historyList = {
  sort: ["-createdAt"],
  filter: { createdAt, id: { schema: id(idPrefixes.auditEntry), ops: ["eq"] } },
  fields: [...fields, "diff"],
} as const satisfies ListSpec;

export const entryExample = {
  id: "aud_01kfyb0m7ve4z9q2x8c5h3n6t1",
  createdAt: "2026-01-31T09:30:00.000Z",
  actorType: "user",
  actorId: "user_01kfyb0m7ve4z9q2x8c5h3n6t1",
  impersonatorId: null,
  apiKeyId: null,
  organizationId: null,
  action: "user.update",
  entityType: "User",
  entityId: "user_01kfyb0m7ve4z9q2x8c5h3n6t2",
  oldValue: { role: "user" },
  newValue: { role: "admin" },
  reason: "Takes over from Grace",
  requestId: "0b0bd8ad-3e54-4b2f-9f6e-0a3f6d2f7c11",
  traceId: "0af7651916cd43dd8448eb211c80319c",
  address: "198.51.100.7",
  userAgent: "curl/8.5.0",
};
