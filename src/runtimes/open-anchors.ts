/** Where seals are kept besides the database, as AUDIT_ANCHORS says. */
import type { Env } from "../env.ts";
import type { Anchor } from "../ports/anchor/port.ts";
import type { R2Bucket } from "../ports/anchor/r2.ts";

/** What only one kind of runtime has. The environment was refused where it asks for what is not here. */
interface Own {
  file?: (path: string) => Promise<Anchor>;
  bucket?: R2Bucket | undefined;
}

/** Loads the drivers that the environment chose, and no other. */
export async function openAnchors({ audit: { anchors, s3 } }: Env, { file, bucket }: Own): Promise<Anchor[]> {
  const opened: Anchor[] = [];
  for (const anchor of anchors) {
    if (anchor.kind === "webhook") {
      const { createWebhookAnchor } = await import("../ports/anchor/webhook.ts");
      opened.push(createWebhookAnchor({ url: anchor.url }));
    } else if (anchor.kind === "s3") {
      const { createS3Anchor } = await import("../ports/anchor/s3.ts");
      if (s3) opened.push(createS3Anchor({ url: anchor.url, ...s3 }));
    } else if (anchor.kind === "file") {
      if (file) opened.push(await file(anchor.path));
    } else if (bucket) {
      const { createR2Anchor } = await import("../ports/anchor/r2.ts");
      opened.push(createR2Anchor(bucket));
    }
  }
  return opened;
}
