/** Seals as objects of a bucket that speaks S3's protocol, by one signed request each: wherever there is `fetch`. */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import { AwsClient } from "aws4fetch";
import type { Secret } from "../../core/secret.ts";
import { sealObject } from "./object.ts";
import type { Anchor } from "./port.ts";

export interface S3Keys {
  region: string;
  accessKeyId: Secret;
  secretAccessKey: Secret;
}

interface Options extends S3Keys {
  /** Under which objects are put: the bucket's, with the beginning of their names. */
  url: string;
  timeoutMs?: number;
}

export function createS3Anchor({ url, region, accessKeyId, secretAccessKey, timeoutMs = 10_000 }: Options): Anchor {
  const { host, pathname } = new URL(url);
  return {
    name: `s3:${host}${pathname}`,
    async put(jws) {
      const { name, body, contentType } = sealObject(jws);
      const hash = sha256(utf8ToBytes(body));
      const client = new AwsClient({
        accessKeyId: accessKeyId.reveal(),
        secretAccessKey: secretAccessKey.reveal(),
        region,
        service: "s3",
      });
      const request = await client.sign(`${url.replace(/\/+$/, "")}/${name}`, {
        method: "PUT",
        body,
        headers: {
          "content-type": contentType,
          "if-none-match": "*",
          "x-amz-content-sha256": bytesToHex(hash),
          // A bucket that locks its objects takes none without a checksum.
          "x-amz-checksum-sha256": btoa(String.fromCharCode(...hash)),
        },
      });
      const answer = await fetch(request, { redirect: "manual", signal: AbortSignal.timeout(timeoutMs) });
      await answer.body?.cancel();
      // 412: what has this name already is this seal.
      if (!answer.ok && answer.status !== 412) throw new Error(`the anchor answered ${answer.status}`);
    },
  };
}
