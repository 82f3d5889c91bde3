import { expect, test } from "bun:test";
import { withApp } from "../../scripts/openapi.ts";
import type { App } from "../../src/app.ts";

test("all routes fit Hono's router of one regular expression: a single path that does not makes every request slower", () =>
  withApp(async (app: App) => {
    await app.request("/livez");
    expect(app.router.name).toBe("SmartRouter + RegExpRouter");
  }));
