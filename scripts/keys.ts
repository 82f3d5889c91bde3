/**
 * Prints a new signing key as a line for the environment: `keys` for access tokens, `keys audit` for the seals of the audit trail. To
 * rotate, put its key in front of those that are there.
 */
import process from "node:process";
import { generateKeys } from "../src/modules/auth/keys.ts";

const name = process.argv[2] === "audit" ? "AUDIT_KEYS" : "JWT_KEYS";
console.log(`${name}=${JSON.stringify({ keys: await generateKeys() })}`);
