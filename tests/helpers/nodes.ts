/** The Nodes that tests run on: the packaged ones, or where those are not installed (they are x64 Linux alone) the one on PATH. */
import { existsSync } from "node:fs";
import type { Outcomes } from "./peer.ts";

export interface Node {
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

/** Runs a script of the contracts, and gives what it has printed last. */
export async function onNode({ path }: Node, script: string, ...args: string[]): Promise<Outcomes> {
  const file = new URL(`../contracts/${script}`, import.meta.url).pathname;
  const peer = Bun.spawn([path, file, ...args], { stderr: "pipe" });
  const [out, err] = await Promise.all([new Response(peer.stdout).text(), new Response(peer.stderr).text()]);
  const line = out.split("\n").findLast((text) => text.startsWith("{"));
  if (!line) throw new Error(`the peer did not finish: ${err}`);
  return JSON.parse(line);
}

/** The same on the newest. */
export async function underNode(script: string, ...args: string[]): Promise<Outcomes> {
  const newest = nodes.at(-1);
  if (!newest) throw new Error("no Node was found");
  return onNode(newest, script, ...args);
}
