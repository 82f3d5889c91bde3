/** Wrangler runs on Node, whatever runs the scripts. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

/** What wrangler 4 asks for. */
const LEAST = [22, 12] as const;

const inProject = (path: string) => fileURLToPath(new URL(`../node_modules/${path}`, import.meta.url));

/** The first Node that is new enough: the packaged ones, then the one on PATH. Throws when there is none. */
export function findNode(): string {
  const found: string[] = [];
  for (const path of [inProject("node24/bin/node"), inProject("node22/bin/node"), "node"]) {
    const version = spawnSync(path, ["--version"], { encoding: "utf8" }).stdout?.trim();
    if (!version) continue;
    const [major = 0, minor = 0] = version.slice(1).split(".").map(Number);
    if (major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1])) return path;
    found.push(`${path} is ${version}`);
  }
  throw new Error(
    `Wrangler needs Node ${LEAST.join(".")} or newer, and there is none: ${found.join(", ") || "no node on PATH"}.`,
  );
}
