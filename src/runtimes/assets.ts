/** Files that are served or reported, found beside the build or, when the sources run, in the project. */
import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";

const here = (path: string) => new URL(path, import.meta.url);
const manifest = [here("./package.json"), here("../../package.json")].find((url) => existsSync(url));
const script = [here("./scalar.js"), here("../../node_modules/@scalar/api-reference/dist/browser/standalone.js")];

export const assets = {
  version: manifest ? String(JSON.parse(readFileSync(manifest, "utf8")).version) : "unknown",
  async referenceScript(): Promise<Uint8Array<ArrayBuffer> | null> {
    const found = script.find((url) => existsSync(url));
    return found ? new Uint8Array(await readFile(found)) : null;
  },
};
