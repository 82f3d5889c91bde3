/** What the server writes: one line of JSON a request, and no secret in any of it. */
import { expect } from "bun:test";
import type { Answer } from "../../helpers/client.ts";
import type { LogLine } from "../../helpers/server.ts";
import { settings } from "../settings.ts";
import { type Case, unique, type World } from "../world.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT = "00f067aa0ba902b7";
const FORGED = "forged-line";
const forged = `{"level":"error","msg":"${FORGED}"}`;

type Send = (world: World, headers: Record<string, string>) => Promise<Answer>;

const livez: Send = ({ guest }, headers) => guest()("GET", "/livez", { headers });
const withParent =
  (traceparent: string, send: Send = livez): Send =>
  (world, headers) =>
    send(world, { ...headers, traceparent });

const requests = {
  read: withParent(`00-${TRACE}-${PARENT}-01`, ({ admin, owner }, headers) =>
    admin.api("GET", `/v1/users/${owner.id}`, { headers }),
  ),
  refused: ({ guest }: World, headers) => guest()("GET", "/v1/me", { headers }),
  missing: ({ guest }: World, headers) => guest()("GET", "/nowhere/private-path?q=private-query", { headers }),
  invalid: ({ guest }: World, headers) =>
    guest()("POST", "/v1/auth/login", { body: { email: `a\n${forged}`, password: `\n${forged}\n` }, headers }),
  agent: ({ guest }: World, headers) => guest()("GET", "/livez", { headers: { ...headers, "user-agent": forged } }),
  path: ({ guest }: World, headers) => guest()("GET", `/${encodeURIComponent(`a\n${forged}`)}`, { headers }),
  "parent of zeros": withParent(`00-${"0".repeat(32)}-${PARENT}-01`),
  "parent of a version that is none": withParent(`ff-${TRACE}-${PARENT}-01`),
  "parent in capitals": withParent(`00-${TRACE.toUpperCase()}-${PARENT}-01`),
  "parent that is too long": withParent(`00-${TRACE}0-${PARENT}-01`),
} satisfies Record<string, Send>;
type Name = keyof typeof requests;

/** Sends all at once, because the log may be written a while later; answers all lines of each. */
async function sendAll(world: World): Promise<Record<Name, LogLine[]>> {
  const sent = await Promise.all(
    Object.entries(requests).map(async ([name, send]) => {
      const requestId = unique();
      await send(world, { "x-request-id": requestId });
      return [name, requestId] as const;
    }),
  );
  await Promise.all(sent.map(([, id]) => world.log.line(({ requestId }) => requestId === id)));
  const lines = await world.log.lines();
  return Object.fromEntries(sent.map(([name, id]) => [name, lines.filter((line) => line.requestId === id)])) as never;
}

const answers = new WeakMap<World, ReturnType<typeof sendAll>>();

/** The one line of a request. */
async function lineOf(world: World, name: Name): Promise<LogLine> {
  const all = answers.get(world) ?? sendAll(world);
  answers.set(world, all);
  const lines = (await all)[name];
  expect(lines).toHaveLength(1);
  return lines[0] as LogLine;
}

export const logCases: Case[] = [
  {
    name: "a request is one line: id, trace, actor, method, the route's template, status and milliseconds",
    async run(world) {
      const line = await lineOf(world, "read");
      const { level, msg, traceId, actor, method, route, status } = line;
      expect({ level, msg, traceId, actor, method, route, status }).toEqual({
        level: "info",
        msg: "request",
        traceId: TRACE,
        actor: world.admin.id,
        method: "GET",
        route: "/v1/users/{id}",
        status: 200,
      });
      expect(line.ms).toBeNumber();
      expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(JSON.stringify(line)).not.toContain(world.owner.id);
    },
  },
  {
    name: "a traceparent that is none is not continued",
    async run(world) {
      for (const name of Object.keys(requests).filter((known) => known.startsWith("parent")) as Name[]) {
        const { traceId } = await lineOf(world, name);
        expect(traceId).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
        expect([name, traceId === TRACE]).toEqual([name, false]);
      }
    },
  },
  {
    name: "a refused request is a line too, without an actor when nobody is known",
    async run(world) {
      const { actor, route, status } = await lineOf(world, "refused");
      expect({ actor, route, status }).toEqual({ actor: null, route: "/v1/me", status: 401 });
      const missing = await lineOf(world, "missing");
      expect([missing.actor, missing.route, missing.status]).toEqual([null, null, 404]);
    },
  },
  {
    name: "neither a path nor a query nor any text of a client is in the log, and none makes a line of its own",
    async run(world) {
      for (const name of ["missing", "invalid", "agent", "path"] as const) await lineOf(world, name);
      const text = await world.log.output();
      for (const secret of [FORGED, "private-path", "private-query"]) expect(text).not.toContain(secret);
    },
  },
];

/** Asked last, when the other cases have sent their passwords and tokens. */
export const silenceCases: Case[] = [
  {
    name: "nothing that the server has printed holds a password, a token, a key or somebody's address",
    async run({ log, secrets, owner }) {
      const text = await log.output();
      expect(text.length).toBeGreaterThan(10_000);
      expect(secrets.size).toBeGreaterThan(10);
      for (const secret of secrets) expect(text.includes(secret)).toBe(false);
      for (const secret of [settings.key.d ?? "", settings.probeToken, owner.email, owner.name])
        expect(text.includes(secret)).toBe(false);
      expect(text).not.toMatch(/\$argon2|eyJhbGciOi|Bearer /);
    },
  },
  {
    name: "in all of this the server met no fault: no line is an error, and no handler returned what it does not declare",
    async run({ log }) {
      const loud = (await log.lines()).filter(({ level }) => level === "error" || level === "warn");
      expect(loud.slice(0, 5)).toEqual([]);
    },
  },
];
