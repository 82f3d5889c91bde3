import type { OpenAPIHono } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { type AppEnv, factsOf } from "./facts.ts";
import { assertNoSecrets } from "./no-secrets.ts";
import type { Route } from "./route.ts";

type Step = MiddlewareHandler<AppEnv> | null;

/** Puts a route into the router. The steps run in their order; null ones do not concern this route. */
export function mount(
  app: OpenAPIHono<AppEnv>,
  route: Route,
  secretNames: ReadonlySet<string>,
  steps: readonly Step[],
): void {
  if (route.answer) assertNoSecrets(route.id, route.answer, secretNames);
  const name: MiddlewareHandler<AppEnv> = (c, next) => {
    factsOf(c).route = route.path;
    return next();
  };
  app.on(
    route.method.toUpperCase(),
    route.path.replace(/\{(\w+)\}/g, ":$1"),
    name,
    ...steps.filter((step) => step !== null),
  );
}
