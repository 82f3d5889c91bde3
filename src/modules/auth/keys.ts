import { exportJWK, generateKeyPair, importJWK, type JWK, jwtVerify, SignJWT } from "jose";
import type { Secret } from "../../core/secret.ts";

export interface SigningJwk extends JWK {
  kid: string;
}

type Key = Awaited<ReturnType<typeof importJWK>>;

export interface KeySet {
  /** Signs new tokens. */
  signer: { kid: string; key: Key };
  /** Verifies tokens, by `kid`. */
  verifiers: ReadonlyMap<string, Key>;
  /** For tags of our own that all instances agree on, derived from the first key. */
  derived: Uint8Array;
  /** What others verify with (RFC 7517). */
  publicJwks: { keys: JWK[] };
}

/** Ed25519 (RFC 8037): small, fast, and without parameters to get wrong. */
export const ALGORITHM = "EdDSA";

/** Reads a private JWK Set: the first key signs, all verify, so that keys are rotated by putting a new one in front. */
export async function importKeys(jwks: readonly SigningJwk[]): Promise<KeySet> {
  const [first] = jwks;
  if (!first) throw new Error("the key set is empty");
  const keys = jwks.map(publicOf);
  const verifiers = await Promise.all(keys.map(async (jwk) => [jwk.kid, await importJWK(jwk, ALGORITHM)] as const));
  const signer = { kid: first.kid, key: await importJWK(first, ALGORITHM) };
  await assertPair(signer, verifiers[0]?.[1]);
  const derived = new Uint8Array(
    await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`hearth cursors ${first.d}`)),
  );
  return {
    derived,
    signer,
    verifiers: new Map(verifiers),
    publicJwks: { keys },
  };
}

/** A public part that belongs to another key would let the service start, and refuse every token that it issues. */
async function assertPair({ kid, key }: KeySet["signer"], verifier: Key | undefined): Promise<void> {
  const probe = await new SignJWT().setProtectedHeader({ alg: ALGORITHM }).sign(key);
  await jwtVerify(probe, verifier as Key).catch(() => {
    throw new Error(`JWT_KEYS or AUDIT_KEYS: the public part of the key "${kid}" does not belong to its private part.`);
  });
}

const publicOf = ({ kty, crv, x, kid }: SigningJwk) => ({ kty, crv, x, kid, alg: ALGORITHM, use: "sig" }) as SigningJwk;

/** What others verify with: a public JWK Set (RFC 7517). Keys of other kinds in it are left out. */
export async function importPublicKeys({ keys }: { keys: readonly JWK[] }): Promise<KeySet["verifiers"]> {
  const own = keys.filter(({ kty, crv }) => kty === "OKP" && crv === "Ed25519") as SigningJwk[];
  return new Map(
    await Promise.all(own.map(async (key) => [key.kid, await importJWK(publicOf(key), ALGORITHM)] as const)),
  );
}

/** A key set of one new key, as `JWT_KEYS` takes it. */
export async function generateKeys(): Promise<SigningJwk[]> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  const jwk = await exportJWK(privateKey);
  return [{ ...jwk, kid: crypto.randomUUID().slice(0, 8) }];
}

/** The configured key set; without one, a new key for this process alone, whose tokens end with it. */
export const loadKeys = async (configured: Secret<readonly SigningJwk[]> | null): Promise<KeySet> =>
  importKeys(configured?.reveal() ?? (await generateKeys()));
