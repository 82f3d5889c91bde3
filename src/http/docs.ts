import type { OpenAPIHono } from "@hono/zod-openapi";
import type { AppEnv } from "./facts.ts";
import { respond } from "./respond.ts";
import type { Route } from "./route.ts";

export interface DocsOptions {
  routes: readonly Route[];
  publicUrl: string;
  version: string;
  /** The script of the reference page, served from here. */
  script: () => Promise<ReadableStream | Uint8Array<ArrayBuffer> | null>;
}

/** `/openapi.json`, the reference page at `/docs`, and the page of the error codes. */
export function docs(app: OpenAPIHono<AppEnv>, { publicUrl, version }: DocsOptions): void {
  let document: string | undefined;
  app.get("/openapi.json", (c) => {
    document ??= JSON.stringify(
      app.getOpenAPI31Document({ openapi: "3.1.0", info: { title: "Hearth", version }, servers: [{ url: publicUrl }] }),
    );
    return respond(c, 200, document, { "content-type": "application/json" });
  });
}
