/** The table of contents: the order in which a request is looked at, and every route. */
import { OpenAPIHono } from "@hono/zod-openapi";
import { secretNames } from "../db/tables.ts";
import { toInstant } from "./core/clock.ts";
import type { Deps } from "./deps.ts";
import { clientAddress } from "./http/address.ts";
import { answer } from "./http/answer.ts";
import { asGuest, authenticate, clientOf } from "./http/authenticate.ts";
import { authorize } from "./http/authorize.ts";
import { cors } from "./http/cors.ts";
import { cursorCodec } from "./http/cursor.ts";
import { docs, mountPage } from "./http/docs.ts";
import { type AppEnv, facts } from "./http/facts.ts";
import { guard, started } from "./http/guard.ts";
import { idempotency } from "./http/idempotency.ts";
import { indexRoute } from "./http/index-route.ts";
import { limit } from "./http/limit.ts";
import { logRequests } from "./http/log.ts";
import { mount } from "./http/mount.ts";
import { onFault, onMissing } from "./http/problem.ts";
import { isIdempotent, methodsOf, type Route } from "./http/route.ts";
import { shaper } from "./http/shape.ts";
import { timeout } from "./http/timeout.ts";
import { validate } from "./http/validate.ts";
import { authRules } from "./modules/auth/policy.ts";
import { authRoutes } from "./modules/auth/routes.ts";
import { createAuth } from "./modules/auth/service.ts";
import { createAuthStore } from "./modules/auth/store.ts";
import { createTokens } from "./modules/auth/tokens.ts";
import { healthRules } from "./modules/health/policy.ts";
import { healthRoutes } from "./modules/health/routes.ts";
import { createHealth } from "./modules/health/service.ts";
import { createAnswers } from "./modules/idempotency/store.ts";
import { userRules } from "./modules/users/policy.ts";
import { userRoutes } from "./modules/users/routes.ts";
import { createUsers } from "./modules/users/service.ts";
import { caslAbilities } from "./policy/casl.ts";

export type App = OpenAPIHono<AppEnv>;

/** Builds the app. Throws when a route would answer a secret column, or the declarations contradict each other. */
export function createApp(deps: Deps): App {
  const { env, clock, log, db, limits, passwords, keys, checks, lifecycle } = deps;
  const now = () => toInstant(clock.now());

  const abilities = caslAbilities([userRules, authRules, healthRules]);
  const authStore = createAuthStore(db);
  const tokens = createTokens({
    keys,
    clock,
    abilities,
    issuer: env.publicUrl,
    audience: env.jwt.audience,
    ttlS: env.jwt.accessTokenTtlS,
    stateTtlMs: deps.stateTtlMs,
    probeToken: env.probeToken,
    bearerOf: (sessionId) => authStore.bearer(sessionId, now()),
  });
  const users = createUsers({ db, passwords, revocations: tokens, abilities });
  const auth = createAuth({
    db,
    users,
    passwords,
    tokens,
    limits,
    accessTtlS: env.jwt.accessTokenTtlS,
    sessionTtlS: env.session.ttlS,
    sessionIdleS: env.session.idleS,
    loginRule: env.limits.login && { ...env.limits.login, whenDown: "refuse" },
  });
  const health = createHealth({ checks, lifecycle });
  const answers = createAnswers(db, now);
  const cursors = cursorCodec(keys.derived);
  const bodyLimit = env.bodyLimitBytes;
  const typeBase = `${env.publicUrl}/docs/errors`;

  const routes: Route[] = [
    indexRoute(),
    ...healthRoutes({ health, version: deps.version }),
    ...authRoutes({ auth, keys }),
    ...userRoutes({ users }),
  ];
  const pages = docs({ routes, publicUrl: env.publicUrl, version: deps.version, script: deps.referenceScript });
  const allowed = methodsOf([...routes, ...pages]);
  const onSurplus =
    env.mode === "production"
      ? null
      : (route: Route, names: string[]) =>
          log.warn({ route: route.id, names }, "a handler returned undeclared fields, which were left out");

  const app: App = new OpenAPIHono<AppEnv>({ strict: true });
  app.onError(onFault({ typeBase, log }));
  app.notFound(onMissing({ typeBase, allowed }));

  // Every request, in this order.
  app.use(facts({ clock, clientAddress: clientAddress(env.trustedProxies) }));
  app.use(logRequests(log));
  app.use(cors({ origins: env.corsOrigins, allowed }));
  app.use(guard({ bodyLimit }));

  // Every route, in this order. A step that does not concern a route is null.
  for (const route of routes) {
    const rule = route.limit === null ? null : env.limits[route.limit ?? "api"];
    const isPublic = route.access === "public";
    const isProbe = route.limit === null;
    mount(app, route, secretNames, [
      isProbe ? null : started(lifecycle),
      isProbe && isPublic ? null : timeout(env.requestTimeoutMs),
      rule && limit({ limits, name: route.limit ?? "api", rule, who: clientOf(tokens) }),
      isPublic ? asGuest(tokens) : authenticate(tokens),
      typeof route.access === "string" ? null : authorize(...route.access),
      validate(route, { bodyLimit, cursors }),
      isIdempotent(route) ? idempotency(route, answers) : null,
      answer(route, shaper(route, { cursors, onSurplus }), answers),
    ]);
  }
  for (const page of pages) mountPage(app, page);
  return app;
}
