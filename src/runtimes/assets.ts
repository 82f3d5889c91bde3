/** Files that are served, found beside the build or, when the sources run, in the project. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import manifest from "../../package.json" with { type: "json" };
import type { Asset } from "../core/asset.ts";

const here = (path: string) => new URL(path, import.meta.url);
/** The build puts it there compressed. */
const built = here("./scalar.js.gz");
const installed = here("../../node_modules/@scalar/api-reference/dist/browser/standalone.js");

export const assets = {
  version: manifest.version,
  async referenceScript(): Promise<Asset | null> {
    if (existsSync(built)) return { gzipped: new Uint8Array(await readFile(built)) };
    return existsSync(installed) ? new Uint8Array(await readFile(installed)) : null;
  },
};
