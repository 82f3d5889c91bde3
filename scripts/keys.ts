/** Prints a new signing key as a line for the environment. To rotate, put its key in front of those of the present `JWT_KEYS`. */
import { generateKeys } from "../src/modules/auth/keys.ts";

console.log(`JWT_KEYS=${JSON.stringify({ keys: await generateKeys() })}`);
