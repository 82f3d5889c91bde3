/** The Nodes that tests run on: the packaged ones, or where those are not installed (they are x64 Linux alone) the one on PATH. */
import { existsSync } from "node:fs";

interface Node {
  name: string;
  path: string;
}

const packaged = [22, 24].flatMap((major): Node[] => {
  const path = new URL(`../../node_modules/node${major}/bin/node`, import.meta.url).pathname;
  return existsSync(path) ? [{ name: `Node ${major}`, path }] : [];
});
const onPath = Bun.which("node");

/** Oldest first. */
export const nodes: readonly Node[] =
  packaged.length > 0 ? packaged : onPath ? [{ name: "Node on PATH", path: onPath }] : [];
