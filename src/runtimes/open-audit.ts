/** The keys that seal the audit trail. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Env } from "../env.ts";
import { generateKeys, importKeys, type KeySet, type SigningJwk } from "../modules/auth/keys.ts";

/** Where development keeps the key that it has made, so that what was sealed before a restart can be verified after it. */
const KEY_FILE = ".data/audit-keys.json";

/** Null in production without AUDIT_KEYS: nothing is sealed, which the log says at start. */
export async function openAuditKeys({ audit, mode, database }: Env): Promise<KeySet | null> {
  if (audit.keys) return importKeys(audit.keys.reveal());
  if (mode === "production") return null;
  const { url } = database;
  if (mode === "test" || (url.engine === "pglite" && url.dir === null)) return importKeys(await generateKeys());
  return importKeys(await keptKeys());
}

async function keptKeys(): Promise<SigningJwk[]> {
  try {
    return JSON.parse(await readFile(KEY_FILE, "utf8")).keys;
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
  }
  const keys = await generateKeys();
  await mkdir(dirname(KEY_FILE), { recursive: true });
  await writeFile(KEY_FILE, JSON.stringify({ keys }), { mode: 0o600, flag: "wx" });
  return keys;
}
