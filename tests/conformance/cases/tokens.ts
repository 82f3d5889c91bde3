/** Access tokens that are not what they say (RFC 8725). Each is made from a real one, whose session is open, and differs in one thing. */
import { expect } from "bun:test";
import { base64url, exportJWK, generateKeyPair, importJWK, SignJWT } from "jose";
import { settings } from "../settings.ts";
import type { Case, Person, World } from "../world.ts";

type Header = Record<string, unknown>;
type Signer = { key: CryptoKey | Uint8Array; alg: string };

const text = new TextEncoder();
const part = (value: unknown) => base64url.encode(text.encode(JSON.stringify(value)));
const partsOf = (token: string) => token.split(".") as [string, string, string];
const readPart = (part: string) => JSON.parse(new TextDecoder().decode(base64url.decode(part)));

const own: Signer = { key: (await importJWK(settings.key, "EdDSA")) as CryptoKey, alg: "EdDSA" };
const foreignPair = await generateKeyPair("EdDSA", { extractable: true });
const foreign: Signer = { key: foreignPair.privateKey, alg: "EdDSA" };
const foreignJwk = await exportJWK(foreignPair.publicKey);
const elliptic: Signer = { key: (await generateKeyPair("ES256")).privateKey, alg: "ES256" };
/** A server that lets the token choose the algorithm would take its public key for a shared secret. */
const publicKeyAs = (bytes: Uint8Array): Signer => ({ key: bytes, alg: "HS256" });
const publicJwk = JSON.stringify({ kty: "OKP", crv: "Ed25519", x: settings.key.x });

const now = () => Math.floor(Date.now() / 1000);

interface Forgery {
  header?: Header;
  claims?: Record<string, unknown>;
  signer?: Signer;
}

async function forge(real: string, { header = {}, claims = {}, signer = own }: Forgery): Promise<string> {
  const [head, payload] = partsOf(real);
  const without = (value: object) => Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined));
  return new SignJWT(without({ ...readPart(payload), ...claims }))
    .setProtectedHeader(without({ ...readPart(head), alg: signer.alg, ...header }) as { alg: string })
    .sign(signer.key, { crit: { x: true } });
}

/** Not signed at all, or signed by nobody. */
function assemble(real: string, header: Header, signature: string): string {
  const [head, payload] = partsOf(real);
  return `${part({ ...readPart(head), ...header })}.${payload}.${signature}`;
}

const refused: Record<string, (real: string, world: World) => string | Promise<string>> = {
  "has expired": (real) => forge(real, { claims: { iat: now() - 700, exp: now() - 100 } }),
  "is not valid yet": (real) => forge(real, { claims: { nbf: now() + 600 } }),
  "never expires": (real) => forge(real, { claims: { exp: undefined } }),
  'has the algorithm "none"': (real) => assemble(real, { alg: "none" }, ""),
  'has the algorithm "None" and a signature': (real) => assemble(real, { alg: "None" }, partsOf(real)[2]),
  "is signed with HS256 and the public key's bytes": (real) =>
    forge(real, { signer: publicKeyAs(base64url.decode(settings.key.x ?? "")) }),
  "is signed with HS256 and the public key's JSON": (real) =>
    forge(real, { signer: publicKeyAs(text.encode(publicJwk)) }),
  "is signed with another algorithm": (real) => forge(real, { signer: elliptic }),
  "is signed with another key": (real) => forge(real, { signer: foreign }),
  "brings its own key": (real) => forge(real, { signer: foreign, header: { jwk: foreignJwk } }),
  "names a place to fetch its key from": (real) =>
    forge(real, { signer: foreign, header: { jku: "http://127.0.0.1:1/keys", kid: "elsewhere" } }),
  "has a key id that is not known": (real) => forge(real, { header: { kid: "unknown" } }),
  "has a key id that is a path": (real) => forge(real, { header: { kid: "../../dev/null" } }),
  "has no key id": (real) => forge(real, { header: { kid: undefined } }),
  "is of another type": (real) => forge(real, { header: { typ: "JWT" } }),
  "has no type": (real) => forge(real, { header: { typ: undefined } }),
  "asks for an extension that is not known": (real) => forge(real, { header: { crit: ["x"], x: 1 } }),
  "is for another audience": (real) => forge(real, { claims: { aud: "another" } }),
  "is for no audience": (real) => forge(real, { claims: { aud: undefined } }),
  "is from another issuer": (real) => forge(real, { claims: { iss: "https://evil.example" } }),
  "names no session": (real) => forge(real, { claims: { sid: undefined } }),
  "names a session that never was": (real) => forge(real, { claims: { sid: "sess_01kfyb0m7ve4z9q2x8c5h3n6t1" } }),
  "names a session that is no text": (real) => forge(real, { claims: { sid: { $ne: "" } } }),
  "was cut off": (real) => real.slice(0, -10),
  "lost its signature": (real) => `${partsOf(real).slice(0, 2).join(".")}.`,
  "has another's claims under its signature": (real, { admin }) => {
    const [head, , signature] = partsOf(real);
    return `${head}.${partsOf(admin.accessToken)[1]}.${signature}`;
  },
  "is a refresh token": (_, { owner }) => owner.refreshToken,
  "is no token": () => "abc",
  "is only dots": () => "..",
};

const headers: Record<string, (owner: Person) => string> = {
  "of another scheme": ({ email, password }) => `Basic ${btoa(`${email}:${password}`)}`,
  "without a token": () => "Bearer ",
  "with a token and more": ({ accessToken }) => `Bearer ${accessToken} more`,
  "with two tokens": ({ accessToken }) => `Bearer ${accessToken}, Bearer ${accessToken}`,
};

async function isRefused(world: World, authorization: string) {
  const answer = await world.guest()("GET", "/v1/me", { headers: { authorization } });
  expect(answer.status).toBe(401);
  expect(answer.json.code).toBe("unauthenticated");
  expect(answer.headers.get("www-authenticate")).toBe('Bearer realm="hearth", error="invalid_token"');
  expect(answer.text).not.toContain(world.owner.email);
}

export const tokenCases: Case[] = [
  {
    name: "a token that a test makes as the server does is accepted, so that the others are refused for what they differ in",
    async run(world) {
      const token = await forge(world.owner.accessToken, { claims: { exp: now() + 60 } });
      const answer = await world.guest()("GET", "/v1/me", { headers: { authorization: `bearer ${token}` } });
      expect(answer.data.id).toBe(world.owner.id);
    },
  },
  ...Object.entries(refused).map(
    ([what, make]): Case => ({
      name: `a token is refused that ${what}`,
      run: async (world) => isRefused(world, `Bearer ${await make(world.owner.accessToken, world)}`),
    }),
  ),
  ...Object.entries(headers).map(
    ([what, make]): Case => ({
      name: `an Authorization header ${what} is refused`,
      run: (world) => isRefused(world, make(world.owner)),
    }),
  ),
  {
    name: "a token says who and until when, and nothing that is private",
    async run({ owner }) {
      const [head, payload] = partsOf(owner.accessToken).map(
        (_, i) => i < 2 && readPart(partsOf(owner.accessToken)[i] ?? ""),
      );
      expect(head).toEqual({ alg: "EdDSA", kid: settings.key.kid, typ: "at+jwt" });
      const claims = payload as Record<string, number>;
      expect(Object.keys(claims).toSorted()).toEqual(["aud", "exp", "iat", "iss", "sid", "sub"]);
      expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(600);
    },
  },
];
