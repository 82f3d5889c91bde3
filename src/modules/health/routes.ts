import { z } from "zod";
import { unavailable } from "../../core/error.ts";
import { type Route, route } from "../../http/route.ts";
import type { CheckResult, Health } from "./service.ts";

const tag = { name: "Health", description: "Whether the process lives and can serve, for those who run it." };
const word = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[\w .,:+-]*$/);

const LivezDto = z.object({ status: z.literal("ok") }).meta({ id: "Liveness" });

const CheckDto = z.object({
  name: word(40),
  ok: z.boolean(),
  ms: z.number().min(0).max(60_000).describe("How long it took to answer, in milliseconds."),
  fault: word(200).nullable(),
  advisory: z.boolean().describe("A fault of it is told here, and requests are served all the same."),
});

const ReadyzDto = z
  .object({
    status: z.literal("ok"),
    checks: z.array(CheckDto).max(20).optional().describe("Each dependency: for administrators and the probe token."),
  })
  .meta({ id: "Readiness" });

const VersionDto = z.object({ name: word(40), version: word(40) }).meta({ id: "Version" });

export const healthRoutes = ({ health, version }: { health: Health; version: string }): Route[] => [
  route({
    method: "get",
    path: "/livez",
    id: "livez",
    tag,
    summary: "Tell whether the process is alive",
    description: "Asks no dependency: a database that is away is no reason to restart the process.",
    access: "public",
    limit: null,
    answer: LivezDto,
    examples: { answer: { status: "ok" } },
    handler: async () => ({ status: "ok" as const }),
  }),
  route({
    method: "get",
    path: "/readyz",
    id: "readyz",
    tag,
    summary: "Tell whether requests should be sent here",
    description: "503 while the server starts or stops, and while a dependency does not answer.",
    access: "optional",
    limit: null,
    answer: ReadyzDto,
    problems: ["unavailable"],
    examples: { answer: { status: "ok" } },
    async handler({ ctx }) {
      const phase = health.phase();
      if (phase === "draining") throw unavailable("The server is stopping.");
      const checks = await health.check();
      const detailed = ctx.ability.can("read", "Health");
      if (phase === "starting" || !checks.every(({ ok, advisory }) => ok || advisory))
        throw unavailable(detailed ? describe(checks) : "The service is not ready.");
      return { status: "ok" as const, ...(detailed && { checks }) };
    },
  }),
  route({
    method: "get",
    path: "/version",
    id: "version",
    tag,
    summary: "Show the version",
    description: "What is deployed here.",
    access: "public",
    limit: null,
    answer: VersionDto,
    examples: { answer: { name: "hearth", version: "0.1.0" } },
    handler: async () => ({ name: "hearth", version }),
  }),
];

const describe = (checks: readonly CheckResult[]): string =>
  `The service is not ready. ${checks.map(({ name, ok, ms, fault }) => `${name}: ${ok ? "ok" : fault} (${ms} ms)`).join("; ")}`;
