/** The table of contents: the order in which a request is looked at, and every route. */
import { Hono } from "hono";
import { secretNames } from "../db/tables.ts";
import { toInstant } from "./core/clock.ts";
import type { Deps } from "./deps.ts";
import { clientAddress } from "./http/address.ts";
import { answer } from "./http/answer.ts";
import { asGuest, authenticate, clientOf } from "./http/authenticate.ts";
import { authorize } from "./http/authorize.ts";
import { answersOf, cached } from "./http/cached.ts";
import { cors } from "./http/cors.ts";
import { cursorCodec } from "./http/cursor.ts";
import { docs } from "./http/docs.ts";
import { type AppEnv, facts } from "./http/facts.ts";
import { guard, started } from "./http/guard.ts";
import { idempotency } from "./http/idempotency.ts";
import { indexRoute } from "./http/index-route.ts";
import { limit } from "./http/limit.ts";
import { logRequests } from "./http/log.ts";
import { mount } from "./http/mount.ts";
import { assertNoSecrets } from "./http/no-secrets.ts";
import { noted } from "./http/noted.ts";
import { faults, missing } from "./http/problem.ts";
import { isIdempotent, methodsOf, type Route } from "./http/route.ts";
import { shaper } from "./http/shape.ts";
import { inOrder } from "./http/step.ts";
import { streamed } from "./http/streamed.ts";
import { timeout } from "./http/timeout.ts";
import { validate } from "./http/validate.ts";
import { auditRoutes } from "./modules/audit/routes.ts";
import { createAudit } from "./modules/audit/service.ts";
import { authRoutes } from "./modules/auth/routes.ts";
import { createAuth } from "./modules/auth/service.ts";
import { createAuthStore } from "./modules/auth/store.ts";
import { createTokens } from "./modules/auth/tokens.ts";
import { healthRoutes } from "./modules/health/routes.ts";
import { createHealth } from "./modules/health/service.ts";
import { createAnswers } from "./modules/idempotency/store.ts";
import { createQueues } from "./modules/jobs/queues.ts";
import { jobRoutes } from "./modules/jobs/routes.ts";
import { createJobs } from "./modules/jobs/service.ts";
import { createExplainer } from "./modules/policy/explain.ts";
import { policyRoutes } from "./modules/policy/routes.ts";
import { createRulebook } from "./modules/policy/rulebook.ts";
import { createPolicy } from "./modules/policy/service.ts";
import { createRuleStore } from "./modules/policy/store.ts";
import { scheduleRoutes } from "./modules/schedules/routes.ts";
import { createSchedules } from "./modules/schedules/service.ts";
import { userRoutes } from "./modules/users/routes.ts";
import { createUsers } from "./modules/users/service.ts";
import { abilities, subjects } from "./rules.ts";

export type App = Hono<AppEnv>;

/** Builds the app. Throws when a route would answer a secret column, or the declarations contradict each other. */
export function createApp(deps: Deps): App {
  const { env, clock, log, db, bus, cache, limits, passwords, scheduler, keys, checks, lifecycle } = deps;
  const now = () => toInstant(clock.now());

  const rulebook = createRulebook({ store: createRuleStore(db), subjects, log });
  const authStore = createAuthStore(db);
  const tokens = createTokens({
    keys,
    clock,
    bus,
    abilities,
    rulebook,
    issuer: env.publicUrl,
    audience: env.jwt.audience,
    ttlS: env.jwt.accessTokenTtlS,
    stateTtlMs: deps.stateTtlMs,
    probeToken: env.probeToken,
    bearerOf: (sessionId) => authStore.bearer(sessionId, now()),
  });
  const users = createUsers({
    db,
    passwords,
    revocations: tokens,
    abilityOf: async (actor) => abilities.abilityFor(actor, (await rulebook.rulesOf(actor)).rules),
  });
  const policy = createPolicy({ db, bus, subjects });
  const explain = createExplainer({ db, abilities, rulebook, subjects });
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
  const jobs = createJobs({ db, bus });
  const queues = createQueues({ db, bus });
  const schedules = createSchedules({ db, scheduler });
  const audit = createAudit({ db, subjects });
  const answers = createAnswers(db, now);
  const cursors = cursorCodec(deps.hmac(keys.derived));
  const bodyLimit = env.bodyLimitBytes;
  const routeCache = cache.namespace(answersOf(deps.version));

  const probes = healthRoutes({ health, version: deps.version });
  const all: Route[] = [
    indexRoute(),
    ...probes,
    ...authRoutes({ auth, keys }),
    ...userRoutes({ users }),
    ...policyRoutes({ policy, explain }),
    ...jobRoutes({ jobs, queues }),
    ...scheduleRoutes({ schedules }),
    ...auditRoutes({ audit, keys: deps.auditKeys }),
  ];
  // A process that only runs jobs answers who looks after it, and nobody else.
  const routes = env.role === "worker" ? probes : all;
  const pages =
    env.role === "worker"
      ? []
      : docs({ routes, publicUrl: env.publicUrl, version: deps.version, script: deps.referenceScript });
  const allowed = methodsOf([...routes, ...pages]);
  const onSurplus =
    env.mode === "production"
      ? null
      : (route: Route, names: string[]) =>
          log.warn({ route: route.id, names }, "a handler returned undeclared fields, which were left out");

  // Every request, in this order.
  const first = [
    facts({ clock, clientAddress: clientAddress(env.trustedProxies) }),
    logRequests(log),
    faults({ typeBase: `${env.publicUrl}/docs/errors`, log, explains: env.mode === "development" }),
    cors({ origins: env.corsOrigins, allowed }),
    guard({ bodyLimit }),
  ];
  const app: App = new Hono<AppEnv>({ strict: true });
  app.notFound(inOrder([...first, missing(allowed)]));

  // Every route, in this order. A step that does not concern a route is null.
  for (const route of routes) {
    const rule = route.limit === null ? null : env.limits[route.limit ?? "api"];
    const isPublic = route.access === "public";
    const isProbe = route.limit === null;
    const shape = shaper(route, { cursors, onSurplus });
    if (route.answer) assertNoSecrets(route.id, route.answer, secretNames);
    mount(app, route, first, [
      isProbe ? null : started(lifecycle),
      isProbe && isPublic ? null : timeout(env.requestTimeoutMs),
      rule && limit({ limits, name: route.limit ?? "api", rule, who: clientOf(tokens) }),
      isPublic ? asGuest(tokens) : authenticate(tokens),
      typeof route.access === "string" ? null : authorize(...route.access),
      validate(route, { bodyLimit, cursors }),
      isIdempotent(route) ? idempotency(route, answers) : null,
      route.audit ? noted(route, route.audit, shape, audit.noteRead) : null,
      route.stream
        ? streamed(route, route.stream, shape, log)
        : route.cache
          ? cached(route, route.cache, shape, { cache: routeCache, clock, timeoutMs: env.requestTimeoutMs })
          : answer(route, shape, answers),
    ]);
  }
  for (const page of pages) mount(app, page, first, [page.answer]);
  return app;
}
