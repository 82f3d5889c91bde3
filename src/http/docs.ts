/** `/openapi.json`, the API reference at `/docs`, and the page of the error codes. */
import type { Asset } from "../core/asset.ts";
import { AppError } from "../core/error.ts";
import { referencePage, referencePolicy, scalarPath, scalarVersion, startScript } from "./docs-page.ts";
import { errorsPage, errorsPolicy } from "./errors-page.ts";
import { notModified, textTag } from "./etag.ts";
import type { HttpContext } from "./facts.ts";
import { respond } from "./respond.ts";
import type { Route } from "./route.ts";
import { JSON_TYPE } from "./shape.ts";
import type { Step } from "./step.ts";

export interface DocsOptions {
  routes: readonly Route[];
  publicUrl: string;
  version: string;
  /** Null where the script is not deployed. */
  script: () => Promise<Asset | null>;
}

/** A page beside the routes: it has no input, no actor and no envelope. */
export interface Page {
  method: "get";
  path: `/${string}`;
  answer: Step;
}

export function docs({ routes, publicUrl, version, script }: DocsOptions): Page[] {
  const page = (path: Page["path"], make: () => Promise<Text>): Page => {
    let made: Promise<Text> | undefined;
    const answer = async (c: HttpContext) => {
      made ??= make();
      return send(c, await made);
    };
    return { method: "get", path, answer };
  };
  return [
    page("/openapi.json", async () => {
      // Loaded with the first document: its generator costs each schema that is made after it.
      const { openApiDocument } = await import("./openapi.ts");
      return text(JSON.stringify(openApiDocument({ routes, serverUrl: publicUrl, version })), JSON_TYPE);
    }),
    page("/docs", async () => text(referencePage, "text/html; charset=utf-8", referencePolicy)),
    page("/docs/start.js", async () => text(startScript, SCRIPT_TYPE)),
    page("/docs/errors", async () => text(errorsPage(), "text/html; charset=utf-8", await errorsPolicy())),
    { method: "get", path: scalarPath, answer: (c) => sendScript(c, script) },
  ];
}

const SCRIPT_TYPE = "text/javascript; charset=utf-8";

interface Text {
  body: string;
  headers: Record<string, string> & { etag: string };
}

/** Asked for again each time, and answered with 304 as long as it is the same: a deployment shows at once. */
const text = (body: string, type: string, policy?: string): Text => ({
  body,
  headers: {
    "content-type": type,
    etag: textTag(body),
    "cache-control": "no-cache",
    ...(policy && { "content-security-policy": policy }),
  },
});

const isCurrent = (c: HttpContext, etag: string): boolean =>
  notModified(c.req.raw.headers.get("if-none-match") ?? undefined, etag);

const send = (c: HttpContext, { body, headers }: Text): Response =>
  isCurrent(c, headers.etag)
    ? respond(c, 304, null, { etag: headers.etag, "cache-control": "no-cache" })
    : respond(c, 200, body, headers);

/** 4.3 MB, 1.2 MB compressed. Its address has its version: a browser asks for it once. */
async function sendScript(c: HttpContext, load: DocsOptions["script"]): Promise<Response> {
  const headers = {
    etag: `W/"scalar-${scalarVersion}"`,
    "cache-control": "public, max-age=31536000, immutable",
    vary: "Accept-Encoding",
  };
  if (isCurrent(c, headers.etag)) return respond(c, 304, null, headers);
  const found = await load();
  if (!found) throw new AppError("not_found", { detail: "The script of the API reference is not deployed here." });
  const typed = { ...headers, "content-type": SCRIPT_TYPE };
  if (!("gzipped" in found)) return respond(c, 200, found, typed);
  if (acceptsGzip(c)) return respond(c, 200, found.gzipped, { ...typed, "content-encoding": "gzip" });
  const plain = new Blob([found.gzipped]).stream().pipeThrough(new DecompressionStream("gzip"));
  return respond(c, 200, plain, typed);
}

const acceptsGzip = (c: HttpContext): boolean =>
  /(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0+)?\s*(?:,|$))[\d.]+\s*)?(?=,|$)/i.test(
    c.req.raw.headers.get("accept-encoding") ?? "",
  );
