import { type Route, route } from "../../http/route.ts";
import { userExample } from "../users/schema.ts";
import type { KeySet } from "./keys.ts";
import {
  Credentials,
  JwksDto,
  jwksExample,
  LogoutRequest,
  RefreshRequest,
  Registration,
  TokenPair,
  UserDto,
} from "./schema.ts";
import type { Auth } from "./service.ts";

const tag = {
  name: "Authentication",
  description: "Accounts are registered and logged in here; access tokens are short-lived and refreshed.",
};

const tokensExample = {
  accessToken: "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c2VyXzAxIn0.c2lnbmF0dXJl",
  refreshToken: "rt_47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU",
  tokenType: "Bearer",
  expiresIn: 600,
};
const credentialsExample = { email: "ada@example.com", password: "a long and private phrase" };

export const authRoutes = ({ auth, keys }: { auth: Auth; keys: KeySet }): Route[] => [
  route({
    method: "post",
    path: "/v1/auth/register",
    id: "register",
    tag,
    summary: "Register an account",
    description:
      "Anybody can, for themselves. The account has the role `user`, and can log in with the password at once.",
    access: "public",
    limit: "auth",
    body: Registration,
    status: 201,
    answer: UserDto,
    versioned: true,
    location: () => "/v1/me",
    examples: { body: { ...credentialsExample, name: "Ada Lovelace" }, answer: userExample },
    handler: ({ ctx, body }) => auth.register(ctx, body),
  }),
  route({
    method: "post",
    path: "/v1/auth/login",
    id: "login",
    tag,
    summary: "Log in",
    description: "Starts a session. The access token is for the following requests, the refresh token for a new pair.",
    access: "public",
    limit: "auth",
    idempotent: false,
    body: Credentials,
    answer: TokenPair,
    problems: ["invalid_credentials"],
    examples: { body: credentialsExample, answer: tokensExample },
    handler: ({ ctx, body }) => auth.login(ctx, body),
  }),
  route({
    method: "post",
    path: "/v1/auth/refresh",
    id: "refresh",
    tag,
    summary: "Exchange a refresh token",
    description:
      "Each refresh token works once. Using one again ends its session, because then somebody else may hold it.",
    access: "public",
    limit: "auth",
    idempotent: false,
    body: RefreshRequest,
    answer: TokenPair,
    problems: ["invalid_credentials"],
    examples: { body: { refreshToken: tokensExample.refreshToken }, answer: tokensExample },
    handler: ({ ctx, body }) => auth.refresh(ctx, body.refreshToken),
  }),
  route({
    method: "post",
    path: "/v1/auth/logout",
    id: "logout",
    tag,
    summary: "Log out",
    description:
      "Ends the session of the access token, and that of the refresh token if it is another one of the same account.",
    access: ["delete", "Session"],
    limit: "auth",
    idempotent: false,
    body: LogoutRequest,
    examples: { body: { refreshToken: tokensExample.refreshToken } },
    handler: ({ ctx, body }) => auth.logout(ctx, body.refreshToken),
  }),
  route({
    method: "get",
    path: "/.well-known/jwks.json",
    id: "getKeys",
    tag,
    summary: "Show the keys that access tokens are signed with",
    description: "A JSON Web Key Set (RFC 7517), for other services that verify tokens.",
    access: "public",
    limit: null,
    bare: true,
    // Never from a shared cache: the keys of this process have to be in it as soon as it signs with them.
    cache: { scope: "public", maxAgeS: 300, onlyClients: true },
    answer: JwksDto,
    examples: { answer: jwksExample },
    handler: async () => keys.publicJwks as never,
  }),
];
