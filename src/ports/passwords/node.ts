/**
 * The best that the running Node has: `node:crypto` from 24.7, and WebAssembly before. The latter holds the event loop for about 30 ms a
 * hash; requests that wait are let through between two.
 */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { setImmediate } from "node:timers/promises";
import { createPasswords } from "./argon2.ts";
import { bounded } from "./bounded.ts";
import { createNativePasswords, hasNativeArgon2 } from "./native.ts";
import type { Passwords } from "./port.ts";
import { wasmArgon2 } from "./wasm.ts";

const BOUNDS = { atOnce: 1, waiting: 100 };

export async function createNodePasswords(): Promise<Passwords> {
  if (await hasNativeArgon2()) return createNativePasswords();
  const argon2 = wasmArgon2(await WebAssembly.compile(await readFile(wasmFile())));
  return createPasswords(bounded((work) => setImmediate().then(() => argon2(work)), BOUNDS));
}

/** Beside a build, or in the package when the sources run. */
function wasmFile(): string | URL {
  const built = new URL("./argon2.wasm", import.meta.url);
  return existsSync(built) ? built : createRequire(import.meta.url).resolve("@phi-ag/argon2/argon2.wasm");
}
