/** Where seals are kept besides the database, as AUDIT_ANCHORS says. */
import type { Env } from "../env.ts";
import type { Anchor } from "../ports/anchor/port.ts";
import { createR2Anchor, type R2Bucket } from "../ports/anchor/r2.ts";
import { createS3Anchor } from "../ports/anchor/s3.ts";
import { createWebhookAnchor } from "../ports/anchor/webhook.ts";

/** What only one kind of runtime has. The environment was refused where it asks for what is not here. */
interface Own {
  file?: (path: string) => Anchor;
  bucket?: R2Bucket | undefined;
}

export const openAnchors = ({ audit: { anchors, s3 } }: Env, { file, bucket }: Own): Anchor[] =>
  anchors.flatMap((anchor) => {
    if (anchor.kind === "webhook") return [createWebhookAnchor({ url: anchor.url })];
    if (anchor.kind === "s3") return s3 ? [createS3Anchor({ url: anchor.url, ...s3 })] : [];
    if (anchor.kind === "file") return file ? [file(anchor.path)] : [];
    return bucket ? [createR2Anchor(bucket)] : [];
  });
