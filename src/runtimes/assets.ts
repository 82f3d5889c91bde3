/** Files that are served or reported, found beside the build or, when the sources run, in the project. */
import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Asset } from "../core/asset.ts";

const here = (path: string) => new URL(path, import.meta.url);
const manifest = [here("./package.json"), here("../../package.json")].find((url) => existsSync(url));
/** The build puts it there compressed. */
const built = here("./scalar.js.gz");
const installed = here("../../node_modules/@scalar/api-reference/dist/browser/standalone.js");

export const assets = {
  version: manifest ? String(JSON.parse(readFileSync(manifest, "utf8")).version) : "unknown",
  async referenceScript(): Promise<Asset | null> {
    if (existsSync(built)) return { gzipped: new Uint8Array(await readFile(built)) };
    return existsSync(installed) ? new Uint8Array(await readFile(installed)) : null;
  },
};
