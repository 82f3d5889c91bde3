import { z } from "zod";
import { email, line } from "../../http/schema.ts";
import { password, UserDto } from "../users/schema.ts";

export const Registration = z.strictObject({ email: email(), name: line(100), password }).meta({ id: "Registration" });

/** Bounded, and no more: what a stored password may look like is not told to those who guess. */
export const Credentials = z
  .strictObject({ email: email(), password: z.string().min(1).max(256).meta({ format: "password" }) })
  .meta({ id: "Credentials" });

const refreshToken = z
  .string()
  .length(46)
  .regex(/^rt_[\w-]{43}$/)
  .describe("Works once, for a new pair of tokens.");

export const TokenPair = z
  .object({
    accessToken: z
      .string()
      .max(4096)
      .regex(/^[\w-]+\.[\w-]+\.[\w-]+$/)
      .describe("A JWT (RFC 9068), for `Authorization: Bearer`."),
    refreshToken,
    tokenType: z.literal("Bearer"),
    expiresIn: z.int().min(1).max(86_400).describe("Seconds until the access token expires."),
  })
  .meta({ id: "TokenPair" });

/** Any bounded text: a token of another form is as unknown as one that was never issued. */
const sentToken = z.string().min(1).max(200).meta({ format: "password" });

export const RefreshRequest = z
  .strictObject({ refreshToken: sentToken.describe("The one that was issued last.") })
  .meta({ id: "RefreshRequest" });

export const LogoutRequest = z
  .strictObject({ refreshToken: sentToken.optional().describe("Of another session that is to end as well.") })
  .meta({ id: "LogoutRequest" });

export const JwksDto = z
  .object({
    keys: z
      .array(
        z.object({
          kty: z.literal("OKP"),
          crv: z.literal("Ed25519"),
          x: z
            .string()
            .length(43)
            .regex(/^[\w-]+$/),
          kid: z
            .string()
            .max(64)
            .regex(/^[\w.-]+$/),
          alg: z.literal("EdDSA"),
          use: z.literal("sig"),
        }),
      )
      .max(10),
  })
  .meta({ id: "JsonWebKeySet", description: "RFC 7517." });

/** The public key of RFC 8037, appendix A.2. */
export const jwksExample = {
  keys: [
    {
      kty: "OKP",
      crv: "Ed25519",
      x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
      kid: "2026-01",
      alg: "EdDSA",
      use: "sig",
    },
  ],
} as const;

export { UserDto };
export type Registration = z.output<typeof Registration>;
export type Credentials = z.output<typeof Credentials>;
