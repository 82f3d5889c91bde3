import { z } from "zod";
import { type Route, route } from "./route.ts";

const path = z
  .string()
  .max(100)
  .regex(/^\/[\w./-]*$/);

const IndexDto = z
  .object({
    name: z.literal("hearth"),
    docs: path.describe("The API reference, for people."),
    openapi: path.describe("The OpenAPI document, for programs."),
    errors: path.describe("The page of the error codes."),
  })
  .meta({ id: "Index" });

const index = { name: "hearth", docs: "/docs", openapi: "/openapi.json", errors: "/docs/errors" } as const;

/** For whoever has only the host name. */
export const indexRoute = (): Route =>
  route({
    method: "get",
    path: "/",
    id: "getIndex",
    tag: { name: "Index", description: "Where to begin." },
    summary: "Show where things are",
    description: "The paths of the documentation. Everything else is in the OpenAPI document.",
    access: "public",
    cache: { scope: "public", maxAgeS: 300 },
    answer: IndexDto,
    examples: { answer: index },
    handler: async () => index,
  });
