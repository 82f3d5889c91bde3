/** argon2id by `node:crypto`, off the main thread: Bun from 1.4, Node from 24.7. One hash takes 32 ms on Node and 44 ms on Bun. */
import * as crypto from "node:crypto";
import { type Argon2, createPasswords } from "./argon2.ts";
import { bounded } from "./bounded.ts";
import type { Passwords } from "./port.ts";

// Node's pool has four threads, which file writes and DNS share: one of them stays free for those.
const BOUNDS = { atOnce: 3, waiting: 100 };

const argon2: Argon2 = ({ password, salt, cost, tagLength }) =>
  new Promise((resolve, reject) => {
    const parameters = {
      message: password,
      nonce: salt,
      memory: cost.memory,
      passes: cost.passes,
      parallelism: cost.lanes,
      tagLength,
    };
    crypto.argon2("argon2id", parameters, (error, tag) => (error ? reject(error) : resolve(new Uint8Array(tag))));
  });

/** Whether this runtime has it; Node 22 has not. */
export const hasNativeArgon2 = (): boolean => "argon2" in crypto;

export const createNativePasswords = (): Passwords => createPasswords(bounded(argon2, BOUNDS));
