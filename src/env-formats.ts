/**
 * What the text of a setting can be. Each format says what it expects in one fixed phrase: a fault shows that phrase and never the text,
 * because the text may be a secret in the wrong place.
 */
import { z } from "zod";
import { Secret } from "./core/secret.ts";

export type DatabaseUrl =
  | { readonly engine: "pglite" /** null: in memory. */; readonly dir: string | null }
  | { readonly engine: "postgres"; readonly url: Secret }
  | { readonly engine: "sqlite"; readonly file: string }
  | { readonly engine: "d1" };

/** So many times within each window of so many milliseconds. */
export interface Limit {
  readonly limit: number;
  readonly windowMs: number;
}

/** A private Ed25519 key as RFC 8037 writes it. */
export interface SigningKey {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly kid: string;
  readonly x: string;
  readonly d: string;
}

/** Longer than any setting has to be: a set of 16 keys takes 4 KB. */
const MAX_LENGTH = 65_536;

/** `read` answers undefined for a text that is not what is expected. One schema for each setting, not a string in a pipe: all are made at start. */
const format = <T>(expected: string, read: (text: string) => T | undefined) =>
  z.transform((text: unknown, context): T => {
    const value = typeof text !== "string" || text.length > MAX_LENGTH ? undefined : read(text);
    if (value !== undefined) return value;
    context.addIssue({ code: "custom", message: expected });
    return z.NEVER;
  });

const matching = (pattern: RegExp) => (text: string) => (pattern.test(text) ? text : undefined);
const accepts = (schema: () => z.ZodType) => (text: string) => (schema().safeParse(text).success ? text : undefined);

export const oneOf = <const T extends string>(...choices: T[]) =>
  format(choices.join(" | "), (text) => choices.find((choice) => choice === text));

/** Decimal digits alone. `0x10`, `1e3`, ` 5` and `010` would be read differently by other tools, so they are refused. */
export const integer = (min: number, max: number) =>
  format(`an integer from ${min} to ${max}, in decimal digits`, (text) => {
    if (!/^(0|[1-9]\d{0,14})$/.test(text)) return undefined;
    const value = Number(text);
    return value >= min && value <= max ? value : undefined;
  });

const booleans: Record<string, boolean | undefined> = { true: true, "1": true, false: false, "0": false };
export const boolean = () =>
  format("true | false | 1 | 0", (text) => (Object.hasOwn(booleans, text) ? booleans[text] : undefined));

const listOf = <T>(expected: string, read: (item: string) => T | undefined) =>
  format(expected, (text): readonly T[] | undefined => {
    const items = text.split(",").map((item) => read(item.trim()));
    return items.every((item) => item !== undefined) ? Object.freeze(items) : undefined;
  });

export const host = () => format("a host name or an IP address to listen on", matching(/^[a-z\d.:_-]{1,253}$/i));
export const email = () =>
  format(
    "an e-mail address",
    accepts(() => z.email().max(254)),
  );
export const word = () => format("1 to 128 visible ASCII characters", matching(/^[\x21-\x7e]{1,128}$/));

export const secret = (min: number, max: number) =>
  format(`${min} to ${max} characters`, (text) =>
    text.length >= min && text.length <= max ? new Secret(text) : undefined,
  );

/** Sent in a header, so only what a header can carry. */
export const token = () =>
  format("32 to 256 random visible ASCII characters", (text) =>
    /^[\x21-\x7e]{32,256}$/.test(text) ? new Secret(text) : undefined,
  );

const secretUrl =
  (schemes: readonly string[], path = /^/) =>
  (text: string) => {
    const url = URL.parse(text);
    const fits = url && schemes.includes(url.protocol) && url.hostname !== "" && path.test(url.pathname);
    return fits ? new Secret(text) : undefined;
  };
const postgres = secretUrl(["postgres:", "postgresql:"]);

export const redisUrl = () =>
  format(
    "redis://… or rediss://…, with a host, and with a number as the path if any",
    secretUrl(["redis:", "rediss:"], /^(\/\d{0,6})?$/),
  );
export const postgresUrls = () => listOf("postgres://… addresses with commas between them", postgres);

export const databaseUrl = () =>
  format("memory: | pglite:<dir> | postgres://… with a host | sqlite:<file> | d1:", (text): DatabaseUrl | undefined => {
    if (text === "memory:") return { engine: "pglite", dir: null };
    if (text === "d1:") return { engine: "d1" };
    const dir = /^pglite:(.+)$/.exec(text)?.[1];
    if (dir) return { engine: "pglite", dir };
    const file = /^sqlite:(.+)$/.exec(text)?.[1];
    if (file) return { engine: "sqlite", file };
    const url = postgres(text);
    return url && { engine: "postgres", url };
  });

/** A browser's `Origin` is compared as text, so it has to be written exactly as browsers write it. `*` and `null` are not origins. */
export const origins = () =>
  listOf("origins such as https://app.example.com, without a path and never *, with commas between them", (text) =>
    /^https?:\/\//.test(text) && URL.parse(text)?.origin === text ? text : undefined,
  );

export const networks = () =>
  listOf(
    "IP addresses or CIDR ranges with commas between them",
    accepts(() => z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()])),
  );

/** Without a slash at its end, so that paths are joined to it as they are. */
export const publicUrl = () =>
  format("an http:// or https:// URL without user, query and fragment", (text) => {
    const url = URL.parse(text);
    if (!url || !/^https?:$/.test(url.protocol) || /[?#]/.test(text) || url.username || url.password) return undefined;
    return url.href.replace(/\/+$/, "");
  });

/** With a path and a query that may be secret. `fetch` takes no user in an address. */
export const webhookUrl = () =>
  format("an http:// or https:// address without a user", (text) => {
    const url = URL.parse(text);
    return url && /^https?:$/.test(url.protocol) && !url.username && !url.password ? new Secret(text) : undefined;
  });

export type AnchorPlace =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "webhook"; readonly url: Secret }
  /** The R2 binding SEALS. */
  | { readonly kind: "r2" }
  | { readonly kind: "s3"; readonly url: string };

export const anchors = () =>
  listOf(
    "file:<path>, https://…, s3:https://<host>/<bucket>/<prefix> and r2:, with commas between them",
    (text): AnchorPlace | undefined => {
      if (text === "r2:") return { kind: "r2" };
      const path = /^file:(.+)$/.exec(text)?.[1];
      if (path) return { kind: "file", path };
      const bucket = /^s3:(.+)$/.exec(text)?.[1];
      if (bucket !== undefined) {
        const { data } = publicUrl().safeParse(bucket);
        return data === undefined ? undefined : { kind: "s3", url: data };
      }
      const url = secretUrl(["http:", "https:"])(text);
      return url && { kind: "webhook", url };
    },
  );

/** As Standard Webhooks writes it. */
export const webhookSecret = () =>
  format("whsec_ and 24 to 64 random bytes in base64", (text) => {
    const [, base64] = /^whsec_((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)$/.exec(text) ?? [];
    const bytes = base64 === undefined ? 0 : atob(base64).length;
    return bytes >= 24 && bytes <= 64 ? new Secret(text) : undefined;
  });

export const limit = () =>
  format("<count>/<seconds>s such as 100/60s, at most a day, or off", (text): Limit | null | undefined => {
    if (text === "off") return null;
    const [, count, seconds] = /^([1-9]\d{0,8})\/([1-9]\d{0,4})s$/.exec(text) ?? [];
    if (!count || !seconds || Number(seconds) > 86_400) return undefined;
    return Object.freeze({ limit: Number(count), windowMs: Number(seconds) * 1000 });
  });

/** 32 bytes in base64url: 43 characters, of which the last holds 4 bits. */
const bytes32 = z.string().regex(/^[\w-]{42}[AEIMQUYcgkosw048]$/);
const keySet = z.object({
  keys: z
    .array(
      z.object({
        kty: z.literal("OKP"),
        crv: z.literal("Ed25519"),
        kid: z.string().regex(/^[\x21-\x7e]{1,128}$/),
        x: bytes32,
        d: bytes32,
        use: z.literal("sig").optional(),
        alg: z.enum(["EdDSA", "Ed25519"]).optional(),
      }),
    )
    .min(1)
    .max(16)
    .refine((keys) => new Set(keys.map((key) => key.kid)).size === keys.length),
});

export const signingKeys = () =>
  format(
    'a private JWK Set as JSON, {"keys":[…]}, of 1 to 16 Ed25519 keys (kty OKP, crv, x, d), each with a kid of its own',
    (text) => {
      const parsed = keySet.safeParse(jsonOf(text));
      if (!parsed.success) return undefined;
      return new Secret<readonly SigningKey[]>(
        parsed.data.keys.map(({ kty, crv, kid, x, d }) => Object.freeze({ kty, crv, kid, x, d })),
      );
    },
  );

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
