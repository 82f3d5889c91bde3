import type { z } from "zod";

/** Throws when an output schema names a column that was declared secret, at any depth. Called for every route at start. */
export function assertNoSecrets(routeId: string, schema: z.ZodType, secretNames: ReadonlySet<string>): void {
  const seen = new Set<unknown>();
  const visit = (part: unknown, path: string): void => {
    if (typeof part !== "object" || part === null || seen.has(part)) return;
    seen.add(part);
    const { def } = (part as { _zod?: { def: Record<string, unknown> } })._zod ?? {};
    if (!def) return;
    for (const [name, field] of Object.entries((def.shape as object | undefined) ?? {})) {
      if (secretNames.has(name)) throw new Error(`The answer of ${routeId} names the secret column ${path}${name}.`);
      visit(field, `${path}${name}.`);
    }
    if (typeof def.getter === "function") visit(def.getter(), path);
    for (const inner of Object.values(def)) {
      if (Array.isArray(inner)) for (const option of inner) visit(option, path);
      else visit(inner, path);
    }
  };
  visit(schema, "");
}
