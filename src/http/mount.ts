import type { OpenAPIHono } from "@hono/zod-openapi";
import { type AppEnv, factsOf } from "./facts.ts";
import { assertNoSecrets } from "./no-secrets.ts";
import type { Route } from "./route.ts";
import { inOrder, type Step } from "./step.ts";

/** Puts a route into the router. The steps run in their order; null ones do not concern this route. */
export function mount(
  app: OpenAPIHono<AppEnv>,
  route: Route,
  secretNames: ReadonlySet<string>,
  steps: readonly (Step | null)[],
): void {
  if (route.answer) assertNoSecrets(route.id, route.answer, secretNames);
  const name: Step = (c, next) => {
    factsOf(c).route = route.path;
    return next();
  };
  app.on(
    route.method.toUpperCase(),
    route.path.replace(/\{(\w+)\}/g, ":$1"),
    inOrder([name, ...steps.filter((step) => step !== null)]),
  );
}
