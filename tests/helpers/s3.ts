/**
 * A bucket of S3's protocol on this machine, as far as putting goes: the signature (AWS Signature Version 4) and the checksums are worked out
 * anew from what has arrived, and `If-None-Match: *` writes once.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

export interface Bucket {
  /** Under which objects are put. */
  url: string;
  keys: { region: string; accessKeyId: string; secretAccessKey: string };
  objects: Map<string, string>;
  /** What was refused, with what was answered. */
  refused: [path: string, status: number][];
  stop(): Promise<void>;
}

const sha256 = (text: string | Uint8Array) => createHash("sha256").update(text);
const hmac = (key: string | Buffer, text: string) => createHmac("sha256", key).update(text).digest();
const FORM =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([\w;-]+), ?Signature=([\da-f]{64})$/;

export function startS3(): Bucket {
  const keys = { region: "eu-central-1", accessKeyId: "AKTEST", secretAccessKey: "a/secret+of=the.key" };
  const objects = new Map<string, string>();
  const refused: Bucket["refused"] = [];

  function isSigned(request: Request, path: string, body: Uint8Array): boolean {
    const [, id, day = "", region = "", names = "", signature = ""] =
      FORM.exec(request.headers.get("authorization") ?? "") ?? [];
    const time = request.headers.get("x-amz-date") ?? "";
    const signed = names.split(";");
    if (id !== keys.accessKeyId || region !== keys.region || !time.startsWith(day)) return false;
    if (!["host", "if-none-match", "x-amz-content-sha256", "x-amz-date"].every((name) => signed.includes(name)))
      return false;
    if (request.headers.get("x-amz-content-sha256") !== sha256(body).digest("hex")) return false;
    if (request.headers.get("x-amz-checksum-sha256") !== sha256(body).digest("base64")) return false;
    const headers = signed.map((name) => `${name}:${request.headers.get(name)?.trim()}\n`).join("");
    const canonical = [request.method, path, "", headers, names, sha256(body).digest("hex")].join("\n");
    const scope = `${day}/${region}/s3/aws4_request`;
    const text = ["AWS4-HMAC-SHA256", time, scope, sha256(canonical).digest("hex")].join("\n");
    const key = [region, "s3", "aws4_request"].reduce(hmac, hmac(`AWS4${keys.secretAccessKey}`, day));
    return timingSafeEqual(hmac(key, text), Buffer.from(signature, "hex"));
  }

  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const body = await request.bytes();
      const refuse = (status: number) => {
        refused.push([pathname, status]);
        return new Response(null, { status });
      };
      if (request.method !== "PUT") return refuse(405);
      if (!isSigned(request, pathname, body)) return refuse(403);
      if (request.headers.get("if-none-match") === "*" && objects.has(pathname)) return refuse(412);
      objects.set(pathname, new TextDecoder().decode(body));
      return new Response();
    },
  });
  return { url: `${server.url}bucket/seals`, keys, objects, refused, stop: () => server.stop(true) };
}
