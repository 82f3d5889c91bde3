/**
 * Writes dist/: `server.js`, which Bun and Node both run, with what it reads at run time beside it. Bun gets one file with its bytecode,
 * which halves the time to the first answer; a Bun of another version parses the file instead. Node gets chunks, of which it loads those
 * that the environment asks for.
 */
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";
import type { BunPlugin } from "bun";
import manifest from "../package.json" with { type: "json" };
import { plainArgs } from "./args.ts";

const root = new URL("../", import.meta.url).pathname;

/** Not bundled: found on the runtime, in development alone, or together with files that it loads by itself. */
const external = ["bun", "bun:sqlite", "node:sqlite", "pino-pretty", "@electric-sql/pglite"];

/** Half of what would be Bun's one file, and used with Redis alone: files of their own, which take no start 10 ms that does not need them. */
const APART = ["ioredis", "bullmq"];

const apart = (except?: string): BunPlugin => ({
  name: "packages that are files of their own",
  setup(build) {
    build.onResolve({ filter: new RegExp(`^(${APART.join("|")})$`) }, ({ path }) =>
      path === except ? undefined : { path: `./${path}.cjs`, external: true },
    );
  },
});

/** Faults are told in English: the other 50 languages would be a tenth of what a start reads. */
const english: BunPlugin = {
  name: "one locale of zod",
  setup(build) {
    build.onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({
      contents: 'export { default as en } from "./en.js";',
    }));
  },
};

/** The one for Node loads `node:crypto`, 6 to 12 ms of Bun's start. On Bun `crypto.getRandomValues` is as quick; on Node it takes 2 µs. */
const webUuid: BunPlugin = {
  name: "uuid without node:crypto",
  setup(build) {
    build.onResolve({ filter: /^uuid$/ }, () => ({ path: `${root}node_modules/uuid/dist/esm-browser/index.js` }));
  },
};

/**
 * Node keeps what it has compiled beside the build, where a process that has ended leaves it for the next: a start takes a tenth less. A
 * folder that cannot be written to is no fault.
 */
const server = (node: string) => `if ("Bun" in globalThis) await import("./bun.cjs");
else {
  // Before anything is imported that an older Node does not have, and would end with a stack about.
  const wanted = [${node.replace(".", ", ")}];
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < wanted[0] || (major === wanted[0] && minor < wanted[1])) {
    console.error("Node ${node} or newer is needed, and this is " + process.versions.node + ".");
    process.exit(1);
  }
  const { enableCompileCache } = await import("node:module");
  enableCompileCache?.(import.meta.dirname + "/node-cache");
  await import("./node.js");
}
`;

/** Builds into a folder, which is emptied first. */
export async function build(out: string): Promise<string> {
  rmSync(out, { recursive: true, force: true });
  const common = { outdir: out, minify: { whitespace: true, syntax: true }, sourcemap: "linked", external } as const;
  const bun = { ...common, target: "bun", format: "cjs", bytecode: true } as const;
  const entry = createRequire(import.meta.url);
  const builds = await Promise.all([
    Bun.build({
      ...bun,
      entrypoints: [`${root}src/runtimes/bun.ts`],
      naming: { entry: "[name].cjs" },
      plugins: [apart(), english, webUuid],
    }),
    ...APART.map((name) =>
      Bun.build({
        ...bun,
        entrypoints: [entry.resolve(name)],
        naming: { entry: `${name}.cjs` },
        plugins: [apart(name)],
      }),
    ),
    Bun.build({
      ...common,
      entrypoints: [`${root}src/runtimes/node.ts`],
      target: "node",
      splitting: true,
      plugins: [english],
    }),
  ]);
  writeFileSync(`${out}/server.js`, server(manifest.engines.node.replace(">=", "")));
  cpSync(`${root}src/ports/db/cluster.tar.br`, `${out}/cluster.tar.br`);
  // 4.3 MB, 1.2 MB compressed: once here instead of for each reader of the reference page.
  const scalar = readFileSync(`${root}node_modules/@scalar/api-reference/dist/browser/standalone.js`);
  writeFileSync(`${out}/scalar.js.gz`, gzipSync(scalar, { level: 9 }));
  cpSync(`${root}node_modules/@phi-ag/argon2/dist/argon2.wasm`, `${out}/argon2.wasm`);
  // What the build still asks its package manager for, in the versions that it was tested with.
  const { name, version, type, dependencies } = manifest;
  const pglite = { "@electric-sql/pglite": dependencies["@electric-sql/pglite"] };
  const built = { name, version, private: true, type, dependencies: pglite };
  writeFileSync(`${out}/package.json`, `${JSON.stringify(built, null, 2)}\n`);
  const size = builds
    .flatMap(({ outputs }) => outputs)
    .filter(({ kind }) => kind !== "sourcemap")
    .reduce((sum, file) => sum + file.size, 0);
  return `${Math.round(size / 1024)} KiB, Bun's bytecode included`;
}

if (import.meta.main) {
  plainArgs(
    "build",
    "Writes dist/: server.js, which Bun and Node both run, with what it reads beside it.\n\nUsage: bun run build\n\n  --help  This",
    {},
  );
  console.log(`dist/: ${await build(`${root}dist`)}`);
}
