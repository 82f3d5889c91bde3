/**
 * Prints a new signing key as a line for the environment: `keys` for access tokens, `keys audit` for the seals of the audit trail. To
 * rotate, put its key in front of those that are there.
 */
import { generateKeys } from "../src/modules/auth/keys.ts";
import { plainArgs, wrongUse } from "./args.ts";

const HELP = `Prints a new signing key as a line for the environment. To rotate, put its key in front of those that are there.

Usage: bun run keys [audit]

  audit   For the seals of the audit trail (AUDIT_KEYS); without it for access tokens (JWT_KEYS)
  --help  This`;

const {
  positionals: [kind],
} = plainArgs("keys", HELP, {}, 1);
if (kind !== undefined && kind !== "audit") wrongUse("keys", 1)(`There are no keys for "${kind}".`);
const name = kind === "audit" ? "AUDIT_KEYS" : "JWT_KEYS";
console.log(`${name}=${JSON.stringify({ keys: await generateKeys() })}`);
