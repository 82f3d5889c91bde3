import type { Hono } from "hono";
import { type AppEnv, factsOf } from "./facts.ts";
import { inOrder, type Step } from "./step.ts";

/** Puts a route or a page into the router. The steps run in their order; null ones do not concern it. */
export function mount(
  app: Hono<AppEnv>,
  { method, path }: { method: string; path: string },
  first: readonly Step[],
  steps: readonly (Step | null)[],
): void {
  const name: Step = (c, next) => {
    factsOf(c).route = path;
    return next();
  };
  app.on(
    method.toUpperCase(),
    path.replace(/\{(\w+)\}/g, ":$1"),
    inOrder([...first, name, ...steps.filter((step) => step !== null)]),
  );
}
