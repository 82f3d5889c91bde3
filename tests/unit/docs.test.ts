import { describe, expect, test } from "bun:test";
import { OpenAPIHono } from "@hono/zod-openapi";
import { withApp } from "../../scripts/openapi.ts";
import type { App } from "../../src/app.ts";
import type { Asset } from "../../src/core/asset.ts";
import { systemClock } from "../../src/core/clock.ts";
import { docs } from "../../src/http/docs.ts";
import { scalarPath } from "../../src/http/docs-page.ts";
import { type AppEnv, facts } from "../../src/http/facts.ts";
import { mount } from "../../src/http/mount.ts";

const pages = ["/openapi.json", "/docs", "/docs/start.js", "/docs/errors", scalarPath];
const asked = (path: string, init?: RequestInit) => withApp(async (app: App) => app.request(path, init));

describe.each(pages)("%s", (path) => {
  test("is answered, and to HEAD without a body", async () => {
    const answer = await asked(path);
    expect(answer.status).toBe(200);
    expect((await answer.arrayBuffer()).byteLength).toBeGreaterThan(100);
    const head = await asked(path, { method: "HEAD" });
    expect([head.status, (await head.arrayBuffer()).byteLength]).toEqual([200, 0]);
    expect(head.headers.get("etag")).toBe(answer.headers.get("etag"));
  });

  test("is not sent again to who has it", async () => {
    const etag = (await asked(path, { method: "HEAD" })).headers.get("etag") as string;
    const again = await asked(path, { headers: { "if-none-match": etag } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
  });

  test("answers other methods with 405 and those that it has", async () => {
    const answer = await asked(path, { method: "POST" });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
  });

  test("allows no script but our own", async () => {
    const policy = (await asked(path)).headers.get("content-security-policy") ?? "";
    expect(policy).toStartWith("default-src 'none'");
    expect(policy.match(/script-src [^;]*/)?.[0] ?? null).toBe(path === "/docs" ? "script-src 'self'" : null);
    expect(policy).not.toContain("unsafe-eval");
    if (path !== "/docs") expect(policy).not.toContain("unsafe-inline");
  });
});

test("the reference page has no inline script, and says what to do without JavaScript", async () => {
  const html = await (await asked("/docs")).text();
  expect(html.match(/<script(?![^>]*\ssrc=)[^>]*>/g)).toBeNull();
  expect(html).toMatch(/<noscript>.*openapi\.json.*<\/noscript>/s);
  for (const [, address] of html.matchAll(/(?:src|href)="([^"]+)"/g)) expect(address).not.toMatch(/^(https?:)?\/\//);
});

test("the type of a problem is an anchor of the page of the error codes", async () => {
  const problem = (await (await asked("/nowhere")).json()) as { type: string };
  const { pathname, hash } = new URL(problem.type);
  expect(await (await asked(pathname)).text()).toContain(`<section id="${hash.slice(1)}">`);
});

describe("the script of the reference page", () => {
  const text = "export const scalar = 1;\n".repeat(50);
  const gzipped = new Uint8Array(Bun.gzipSync(text));
  const serve = (script: Asset | null, acceptEncoding?: string) => {
    const app = new OpenAPIHono<AppEnv>();
    const first = [facts({ clock: systemClock, clientAddress: () => null })];
    const options = { routes: [], publicUrl: "http://x", version: "1", script: async () => script };
    for (const page of docs(options)) mount(app, page, first, [page.answer]);
    app.onError((error, c) => c.text(String(error), 404));
    return app.request(scalarPath, {
      headers: acceptEncoding === undefined ? {} : { "accept-encoding": acceptEncoding },
    });
  };

  test.each(["gzip", "br, gzip", "*", "gzip;q=0.5, br", "GZIP"])("is sent compressed to %p", async (encoding) => {
    const answer = await serve({ gzipped }, encoding);
    expect(answer.headers.get("content-encoding")).toBe("gzip");
    expect(new Uint8Array(await answer.arrayBuffer())).toEqual(gzipped);
  });

  test.each([undefined, "br", "gzip;q=0", "gzip;q=0.00, br", "xgzip"])("is sent plain to %p", async (encoding) => {
    const answer = await serve({ gzipped }, encoding);
    expect(answer.headers.get("content-encoding")).toBeNull();
    expect(await answer.text()).toBe(text);
  });

  test("is kept for good, because its address has its version", async () => {
    const { headers } = await serve(new TextEncoder().encode(text));
    expect(headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(headers.get("vary")).toBe("Accept-Encoding");
  });

  test("is not found where it is not deployed", async () => {
    expect((await serve(null)).status).toBe(404);
  });
});
