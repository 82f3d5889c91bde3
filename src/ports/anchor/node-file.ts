/** Seals as lines at the end of a file, such as one on another volume that is mounted append-only. Read by `bun run audit verify --anchor`. */
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import type { Anchor } from "./port.ts";

export const createFileAnchor = (path: string): Anchor => ({
  name: `file:${path}`,
  async put(jws) {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, "a", 0o644);
    try {
      await file.write(`${jws}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  },
});
