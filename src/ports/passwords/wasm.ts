/**
 * argon2id by the reference implementation compiled to WebAssembly (28 kB, from the package @phi-ag/argon2): 45 ms in workerd, where
 * JavaScript takes 270. The module imports nothing, so it can do nothing but compute; the contract suite compares it with an audited
 * implementation in JavaScript. It is called here directly, because the package's own wrapper passes the length of the
 * password in UTF-16 units for its length in bytes, which cuts off the end of any password that is not ASCII.
 *
 * The module comes from outside: Workers may not compile one from bytes.
 */
import { type Argon2, createPasswords } from "./argon2.ts";
import type { Passwords } from "./port.ts";

interface Exports {
  memory: { readonly buffer: ArrayBuffer };
  _initialize(): void;
  malloc(size: number): number;
  free(at: number): void;
  /** argon2.h: t, m, p, password and its length, salt and its length, tag and its length, encoded (none), type, version. */
  argon2_hash(...args: number[]): number;
}

const ARGON2ID = 2;
const VERSION_1_3 = 0x13;

/**
 * The computation holds its thread, so there is never more than one, and its memory is used again: no queue is needed, nor possible on
 * Workers, where one request cannot wait for another.
 */
export const createWasmPasswords = (module: WebAssembly.Module): Passwords => createPasswords(wasmArgon2(module));

export function wasmArgon2(module: WebAssembly.Module): Argon2 {
  const wasm = new WebAssembly.Instance(module, {}).exports as unknown as Exports;
  wasm._initialize();

  return async ({ password, salt, cost, tagLength }) => {
    const size = password.length + salt.length + tagLength;
    const at = wasm.malloc(size);
    if (at === 0) throw new Error("argon2: no memory");
    try {
      // The view is made anew after each call: growth of the memory detaches its buffer.
      const input = new Uint8Array(wasm.memory.buffer, at, size);
      input.set(password);
      input.set(salt, password.length);
      const saltAt = at + password.length;
      const tagAt = saltAt + salt.length;
      const { memory, passes, lanes } = cost;
      const sizes = [passes, memory, lanes, at, password.length, saltAt, salt.length, tagAt, tagLength];
      const failure = wasm.argon2_hash(...sizes, 0, 0, ARGON2ID, VERSION_1_3);
      if (failure !== 0) throw new Error(`argon2: error ${failure}`);
      return new Uint8Array(wasm.memory.buffer).slice(tagAt, tagAt + tagLength);
    } finally {
      new Uint8Array(wasm.memory.buffer, at, size).fill(0);
      wasm.free(at);
    }
  };
}
