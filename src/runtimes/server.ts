/** The entry of the build: the same files run on Bun and on Node. */
await import("Bun" in globalThis ? "./bun.ts" : "./node.ts");

export {};
