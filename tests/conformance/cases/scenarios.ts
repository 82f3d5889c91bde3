/** Who may do what: every operation of the API, tried by a guest, the person whom it is about, somebody else, and an administrator. */
import { expect } from "bun:test";
import { newId } from "../../../src/core/id.ts";
import type { Client } from "../../helpers/client.ts";
import { settings } from "../settings.ts";
import { type Case, newEmail, type Person, unique, type World } from "../world.ts";

type Who = "guest" | "owner" | "other" | "admin";

interface Expected {
  status: number;
  /** Texts that the answer's body has to have. */
  has?: readonly string[];
  /** Texts that it must not have. */
  lacks?: readonly string[];
}

interface Scenario extends Record<Who, number | Expected> {
  /** What is sent. `subject` is the owner's account, with a remark of the administrators on it. */
  request(given: { world: World; who: Who; person: Person | null; subject: Person }): Promise<Request> | Request;
}

interface Request {
  path: string;
  body?: unknown;
  /** Somebody else's session, where the request ends it. */
  api?: Client;
}

const REMARK = "remark-for-administrators";
const everybody = (expected: number | Expected) => ({
  guest: expected,
  owner: expected,
  other: expected,
  admin: expected,
});

/** For administrators alone. */
const admins = (expected: number | Expected) => ({ guest: 401, owner: 403, other: 403, admin: expected });

/** Texts in square brackets stand for what is only known when the case runs. */
const scenarios: Record<string, Scenario> = {
  getIndex: { request: () => ({ path: "/" }), ...everybody({ status: 200, has: ["/docs", "/openapi.json"] }) },
  livez: { request: () => ({ path: "/livez" }), ...everybody({ status: 200, has: ['"ok"'] }) },
  readyz: {
    request: () => ({ path: "/readyz" }),
    ...everybody({ status: 200, has: ['"ok"'], lacks: ["checks", "database"] }),
    admin: { status: 200, has: ["checks", "database", "migrations"] },
  },
  version: { request: () => ({ path: "/version" }), ...everybody({ status: 200, has: ['"hearth"'] }) },
  getKeys: {
    request: () => ({ path: "/.well-known/jwks.json" }),
    ...everybody({ status: 200, has: [settings.key.x ?? "", '"EdDSA"'], lacks: [settings.key.d ?? "", '"d"', "meta"] }),
  },
  getAuditKeys: {
    request: () => ({ path: "/.well-known/audit-keys.json" }),
    ...everybody({
      status: 200,
      has: [settings.auditKey.x ?? "", '"EdDSA"'],
      lacks: [settings.auditKey.d ?? "", settings.key.x ?? "", "meta"],
    }),
  },
  listAuditEntries: {
    request: ({ subject }) => ({ path: `/v1/audit?filter[entityId][eq]=${subject.id}` }),
    guest: 401,
    owner: { status: 200, has: ["user.create", "[email]"], lacks: [REMARK] },
    other: { status: 200, lacks: ["[email]", REMARK] },
    admin: { status: 200, has: ["user.create", "user.update", "[email]", REMARK], lacks: ["$argon2"] },
  },
  listAuditHistory: {
    request: ({ subject }) => ({ path: `/v1/audit/User/${subject.id}` }),
    guest: 401,
    owner: { status: 200, has: ["user.create", "[email]", "diff"], lacks: [REMARK] },
    other: { status: 200, lacks: ["[email]", REMARK] },
    admin: { status: 200, has: ["user.update", "[email]", REMARK, "→"], lacks: ["$argon2"] },
  },
  exportAudit: {
    request: () => ({ path: "/v1/audit-seals/0/export" }),
    ...admins({ status: 200, has: ['{"hearth":"audit"', "user.create", REMARK, '{"end":'], lacks: ["$argon2"] }),
  },
  register: {
    request: () => ({
      path: "/v1/auth/register",
      body: { email: newEmail(), name: "New", password: `a long phrase ${unique()}` },
    }),
    ...everybody({ status: 201, has: ["@example.com", '"user"'], lacks: ["a long phrase", "remark", "Token"] }),
  },
  login: {
    request: ({ subject }) => ({
      path: "/v1/auth/login",
      body: { email: subject.email, password: subject.password },
    }),
    ...everybody({ status: 200, has: ["accessToken", "refreshToken", '"Bearer"'], lacks: ["[password]", REMARK] }),
  },
  refresh: {
    request: () => ({ path: "/v1/auth/refresh", body: { refreshToken: `rt_${unique()}` } }),
    ...everybody({ status: 401, has: ["invalid_credentials"], lacks: ["[email]"] }),
  },
  logout: {
    async request({ world, person }) {
      const session = person && (await world.session(person));
      return { path: "/v1/auth/logout", body: {}, ...(session && { api: session.api }) };
    },
    ...everybody(204),
    guest: 401,
  },
  getMe: {
    request: () => ({ path: "/v1/me" }),
    guest: 401,
    owner: { status: 200, has: ["[email]", '"user"'], lacks: ["remark"] },
    other: { status: 200, lacks: ["[email]", "remark"] },
    admin: { status: 200, has: [settings.admin.email, '"admin"'], lacks: ["[email]"] },
  },
  updateMe: {
    request: ({ who }) => ({ path: "/v1/me", body: { name: `Renamed by ${who}` } }),
    guest: 401,
    owner: { status: 200, has: ["Renamed by owner"], lacks: ["remark"] },
    other: { status: 200, has: ["Renamed by other"], lacks: ["[email]"] },
    admin: { status: 200, has: ["Renamed by admin"], lacks: ["[email]"] },
  },
  listUsers: {
    request: ({ subject }) => ({ path: `/v1/users?filter[email][eq]=${encodeURIComponent(subject.email)}` }),
    guest: 401,
    owner: 403,
    other: { status: 403, lacks: ["[email]"] },
    admin: { status: 200, has: ["[email]", REMARK] },
  },
  createUser: {
    request: () => ({ path: "/v1/users", body: { email: newEmail(), name: "Made", remark: REMARK } }),
    guest: 401,
    owner: 403,
    other: 403,
    admin: { status: 201, has: [REMARK, '"version":1'] },
  },
  getUser: {
    request: ({ subject }) => ({ path: `/v1/users/${subject.id}` }),
    guest: 401,
    owner: { status: 200, has: ["[email]"], lacks: ["remark"] },
    other: { status: 404, lacks: ["[email]"] },
    admin: { status: 200, has: ["[email]", REMARK] },
  },
  updateUser: {
    request: ({ subject, who }) => ({ path: `/v1/users/${subject.id}`, body: { name: `Changed by ${who}` } }),
    guest: 401,
    owner: { status: 200, has: ["Changed by owner"], lacks: ["remark"] },
    other: { status: 404, lacks: ["[email]"] },
    admin: { status: 200, has: ["Changed by admin", REMARK] },
  },
  deleteUser: {
    async request({ world, who, subject }) {
      const doomed = who === "admin" ? (await world.account()).id : subject.id;
      return { path: `/v1/users/${doomed}` };
    },
    guest: 401,
    owner: 403,
    other: { status: 403, lacks: ["[email]"] },
    admin: 204,
  },
  listJobs: {
    request: () => ({ path: "/v1/jobs?limit=1" }),
    ...admins({ status: 200, has: ['"page"'], lacks: ["input", "result"] }),
  },
  // What becomes of jobs is told by jobs.ts, where there are some.
  getJob: { request: () => ({ path: `/v1/jobs/${newId("job")}` }), ...admins(404) },
  retryJob: { request: () => ({ path: `/v1/jobs/${newId("job")}/retry`, body: {} }), ...admins(404) },
  cancelJob: { request: () => ({ path: `/v1/jobs/${newId("job")}/cancel` }), ...admins(404) },
  retryDeadJobs: {
    request: () => ({ path: `/v1/job-types/${unique()}/retry`, body: {} }),
    ...admins({ status: 200, has: ['"jobs":0'] }),
  },
  purgeJobs: {
    request: () => ({ path: "/v1/job-purges", body: { state: "failed", olderThanS: 300_000_000 } }),
    ...admins({ status: 200, has: ['"jobs":0', '"more":false'] }),
  },
  listQueues: { request: () => ({ path: "/v1/queues" }), ...admins({ status: 200, has: ['"data":['] }) },
  listQueueMinutes: {
    request: () => ({ path: `/v1/queues/${unique()}/minutes` }),
    ...admins({ status: 200, has: ['"data":[]'] }),
  },
  pauseQueue: { request: () => ({ path: `/v1/queues/${unique()}/pause` }), ...admins(204) },
  resumeQueue: { request: () => ({ path: `/v1/queues/${unique()}/resume` }), ...admins(204) },
  drainQueue: {
    request: () => ({ path: `/v1/queues/${unique()}/drain` }),
    ...admins({ status: 200, has: ['"jobs":0'] }),
  },
  listSchedules: {
    request: () => ({ path: "/v1/schedules" }),
    ...admins({ status: 200, has: ['"auth.sweep-sessions"', '"active"'] }),
  },
  updateSchedule: {
    request: () => ({ path: "/v1/schedules/auth.sweep-sessions", body: { paused: false } }),
    ...admins({ status: 200, has: ['"20 3 * * *"'] }),
  },
  listScheduleRuns: {
    request: () => ({ path: "/v1/schedules/auth.sweep-sessions/runs" }),
    ...admins({ status: 200, has: ['"page"'] }),
  },
  runSchedule: {
    request: () => ({ path: "/v1/schedules/auth.sweep-sessions/run", body: {} }),
    ...admins({ status: 202, has: ['"manual"'] }),
  },
  listPolicyRules: {
    request: () => ({ path: "/v1/policy/rules" }),
    ...admins({ status: 200, has: ['"page"'] }),
  },
  createPolicyRule: {
    request: () => ({
      path: "/v1/policy/rules",
      body: { scopeType: "user", scopeId: newId("user"), subject: "User", actions: ["list"], note: REMARK },
    }),
    ...admins({ status: 201, has: ['"rule_', REMARK] }),
  },
  getPolicyRule: { request: () => ({ path: `/v1/policy/rules/${newId("rule")}` }), ...admins(404) },
  updatePolicyRule: { request: () => ({ path: `/v1/policy/rules/${newId("rule")}`, body: {} }), ...admins(404) },
  deletePolicyRule: { request: () => ({ path: `/v1/policy/rules/${newId("rule")}` }), ...admins(404) },
  explainPolicy: {
    request: ({ subject }) => ({
      path: "/v1/policy/explain",
      body: { userId: subject.id, action: "read", subject: "User", id: subject.id },
    }),
    ...admins({ status: 200, has: ['"allowed":true', '"layer":"module"', '"users"'], lacks: [REMARK] }),
  },
};

interface Operation {
  operationId: string;
  method: string;
}

const METHODS = ["get", "post", "put", "patch", "delete"];
export const operationsOf = ({ document }: World): (Operation & { path: string })[] =>
  Object.entries(document.paths as Record<string, Record<string, Operation>>).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method];
      return operation ? [{ operationId: operation.operationId, method: method.toUpperCase(), path }] : [];
    }),
  );

const everyOperation: Case = {
  name: "every operation of the API has a row in the scenario table, and every row is an operation",
  async run(world) {
    const ids = operationsOf(world).map(({ operationId }) => operationId);
    expect(ids.toSorted()).toEqual(Object.keys(scenarios).toSorted());
  },
};

/** Nobody is shown these, whatever they ask for. */
const never = ["passwordHash", "tokenHash", "deletedAt", "$argon2", "sessionId"];

function caseFor(operationId: string, scenario: Scenario, who: Who): Case {
  const row = scenario[who];
  const { status, has = [], lacks = [] } = typeof row === "number" ? { status: row } : row;
  return {
    name: `${operationId}: ${who} gets ${status}`,
    async run(world) {
      const operation = operationsOf(world).find((known) => known.operationId === operationId);
      if (!operation) throw new Error("is no operation of the API");
      const subject = world.owner;
      await world.admin.api("PATCH", `/v1/users/${subject.id}`, { body: { remark: REMARK } });
      const person = who === "guest" ? null : world[who];
      const { path, body, api } = await scenario.request({ world, who, person, subject });
      const send = api ?? person?.api ?? world.guest();
      const answer = await send(operation.method, path, body === undefined ? {} : { body });

      expect(answer.status).toBe(status);
      const told = (text: string) => text.replace("[email]", world.owner.email).replace("[password]", subject.password);
      for (const text of has) expect(answer.text).toContain(told(text));
      // What the audit trail tells of a secret: that it was set.
      const shown = answer.text.replaceAll(/passwordHash(?:":"|: )\[changed\]/g, "");
      for (const text of [...lacks, ...never]) expect(shown).not.toContain(told(text));
      if (status >= 400) expect(answer.json.data).toBeUndefined();
    },
  };
}

const whos: readonly Who[] = ["guest", "owner", "other", "admin"];

export const scenarioCases: Case[] = [
  everyOperation,
  ...Object.entries(scenarios).flatMap(([id, scenario]) => whos.map((who) => caseFor(id, scenario, who))),
];
