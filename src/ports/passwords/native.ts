/** argon2id by `node:crypto`, off the main thread: Bun from 1.4, Node from 24.7. One hash takes 32 ms on Node and 44 ms on Bun. */
import { type Argon2, createPasswords } from "./argon2.ts";
import { bounded } from "./bounded.ts";
import type { Passwords } from "./port.ts";

// Node's pool has four threads, which file writes and DNS share: one of them stays free for those.
const BOUNDS = { atOnce: 3, waiting: 100 };

// Loading it takes Bun 6 to 12 ms, which the first password waits for, and not the start.
const load = () => import("node:crypto");

const argon2: Argon2 = async ({ password, salt, cost, tagLength }) => {
  const crypto = await load();
  const parameters = {
    message: password,
    nonce: salt,
    memory: cost.memory,
    passes: cost.passes,
    parallelism: cost.lanes,
    tagLength,
  };
  return new Promise((resolve, reject) =>
    crypto.argon2("argon2id", parameters, (error, tag) => (error ? reject(error) : resolve(new Uint8Array(tag)))),
  );
};

/** Whether this runtime has it; Node 22 has not. */
export const hasNativeArgon2 = async (): Promise<boolean> => "argon2" in (await load());

export const createNativePasswords = (): Passwords => createPasswords(bounded(argon2, BOUNDS));
