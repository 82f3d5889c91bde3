import { type Route, route } from "../../http/route.ts";
import type { KeySet } from "../auth/keys.ts";
import { JwksDto, jwksExample } from "../auth/schema.ts";
import {
  AuditChangeDto,
  AuditEntryDto,
  auditList,
  ExportParams,
  entryExample,
  HistoryParams,
  historyList,
} from "./schema.ts";
import type { Audit } from "./service.ts";

const tag = {
  name: "Audit",
  description:
    "What was done, by whom: one's own deeds, and for administrators all. Sealed, so that it can be verified.",
};

export const auditRoutes = ({ audit, keys }: { audit: Audit; keys: KeySet | null }): Route[] => [
  route({
    method: "get",
    path: "/v1/audit",
    id: "listAuditEntries",
    tag,
    summary: "List audit entries",
    description: "Newest first. Whoever is no administrator finds what they did themselves.",
    access: ["list", "AuditEntry"],
    list: auditList,
    answer: AuditEntryDto,
    examples: { answer: entryExample },
    handler: ({ ctx, list }) => audit.list(ctx, list) as never,
  }),
  route({
    method: "get",
    path: "/v1/audit/{entity}/{id}",
    id: "listAuditHistory",
    tag,
    summary: "Show the history of one row",
    description: "What was done to it, newest first, each step with its changes as lines for a person.",
    access: ["list", "AuditEntry"],
    params: HistoryParams,
    list: historyList,
    answer: AuditChangeDto,
    examples: { answer: { ...entryExample, diff: ['role: "user" → "admin"'] } },
    handler: ({ ctx, params, list }) => audit.history(ctx, { type: params.entity, id: params.id }, list) as never,
  }),
  route({
    method: "get",
    path: "/v1/audit-seals/{number}/export",
    id: "exportAudit",
    tag,
    summary: "Export the trail behind a seal",
    description:
      "Entries and seals as lines of JSON, for `bun run audit verify`, however long. That it was exported is written into the trail. An answer that breaks off lacks its last line, `end`.",
    access: ["manage", "AuditEntry"],
    params: ExportParams,
    stream: "application/x-ndjson",
    audit: "audit.export",
    problems: ["not_found"],
    examples: { answer: '{"hearth":"audit","version":1,"after":0}\n{"end":{"seals":0,"entries":0}}\n' },
    handler: ({ ctx, params }) => audit.export(ctx, params.number),
  }),
  route({
    method: "get",
    path: "/.well-known/audit-keys.json",
    id: "getAuditKeys",
    tag,
    summary: "Show the keys that the audit trail is sealed with",
    description:
      "For `bun run audit verify --key`. Keep a copy elsewhere: who replaces the keys, replaces this answer.",
    access: "public",
    limit: null,
    bare: true,
    cache: { scope: "public", maxAgeS: 300, onlyClients: true },
    answer: JwksDto,
    examples: { answer: jwksExample },
    handler: async () => (keys?.publicJwks ?? { keys: [] }) as never,
  }),
];
