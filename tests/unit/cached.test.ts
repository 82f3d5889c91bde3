import { describe, expect, test } from "bun:test";
import { OpenAPIHono, z } from "@hono/zod-openapi";
import { type Actor, anonymous } from "../../src/core/actor.ts";
import { answersOf, cached } from "../../src/http/cached.ts";
import { cursorCodec } from "../../src/http/cursor.ts";
import { type AppEnv, facts, factsOf } from "../../src/http/facts.ts";
import { mount } from "../../src/http/mount.ts";
import { faults } from "../../src/http/problem.ts";
import { type Route, type RouteCache, route } from "../../src/http/route.ts";
import { shaper } from "../../src/http/shape.ts";
import { validate } from "../../src/http/validate.ts";
import { userRules } from "../../src/modules/users/policy.ts";
import { caslAbilities } from "../../src/policy/casl.ts";
import type { Context } from "../../src/policy/context.ts";
import { createMemoryBus } from "../../src/ports/bus/memory.ts";
import { createCache } from "../../src/ports/cache/manager.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { nodeHmac } from "../../src/runtimes/hmac.ts";
import { type MovingClock, movingClock } from "../contracts/limits.ts";

const NoteDto = z.object({ id: z.string(), text: z.string() });
const tag = { name: "Notes", description: "For tests." };
const cursors = cursorCodec(nodeHmac(new Uint8Array(32)));

const actors: Record<string, Actor> = {
  ada: { type: "user", id: "user_ada", role: "user", sessionId: null },
  ben: { type: "user", id: "user_ben", role: "user", sessionId: null },
  root: { type: "user", id: "user_root", role: "admin", sessionId: null },
  boss: { type: "user", id: "user_boss", role: "admin", sessionId: null },
};

/** An app of one route, whose handler says who asked and how often it was called. */
function setUp(rule: RouteCache, read: (ctx: Context) => string | Promise<string> = ({ actor }) => actor.type) {
  const clock = movingClock();
  const lines: string[] = [];
  const log = createConsoleLog({ level: "error", clock, print: (line) => lines.push(line) });
  const memory = { maxEntries: 100, maxBytes: 1_000_000 };
  const cache = createCache({
    memory,
    store: null,
    bus: createMemoryBus({ log }),
    clock,
    log,
    random: () => 0,
  });
  const state = { calls: 0, fresh: false };
  const note: Route = route({
    method: "get",
    path: "/notes/{id}",
    id: "getNote",
    tag,
    summary: "Show a note",
    access: rule.scope === "public" ? "public" : "optional",
    cache: rule,
    params: z.object({ id: z.string() }),
    answer: NoteDto,
    handler: async ({ ctx, params: { id } }) => {
      state.calls++;
      state.fresh = ctx.fresh;
      return { id, text: `${await read(ctx)} ${state.calls}`, secret: "it does not leave" };
    },
  });
  const abilities = caslAbilities({ users: userRules });
  const app = new OpenAPIHono<AppEnv>();
  mount(
    app,
    note,
    [facts({ clock, clientAddress: () => null }), faults({ typeBase: "https://x", log, explains: false })],
    [
      (c, next) => {
        const own = factsOf(c);
        own.actor = actors[c.req.raw.headers.get("authorization") ?? ""] ?? anonymous;
        own.ability = abilities.abilityFor(own.actor);
        return next();
      },
      validate(note, { bodyLimit: 1, cursors }),
      cached(note, rule, shaper(note, { cursors, onSurplus: null }), { cache, clock, timeoutMs: 20 }),
    ],
  );
  const ask = async (who: string | null, path = "/notes/1", headers: Record<string, string> = {}) => {
    const answer = await app.request(path, { headers: { ...headers, ...(who && { authorization: who }) } });
    const text = await answer.text();
    const data = text === "" ? null : (JSON.parse(text).data ?? JSON.parse(text));
    return { status: answer.status, headers: answer.headers, data, text };
  };
  return { ask, cache, clock, state, lines };
}

const textOf = async (answer: Promise<{ data: { text: string } }>) => (await answer).data.text;

describe("a public answer", () => {
  test("is made once for everybody, for each path, and anew when it is old", async () => {
    const { ask, clock } = setUp({ scope: "public", maxAgeS: 10 });
    expect(await textOf(ask(null))).toBe("anonymous 1");
    expect(await textOf(ask("ada"))).toBe("anonymous 1");
    expect(await textOf(ask(null, "/notes/2"))).toBe("anonymous 2");
    clock.move(9_999);
    const old = await ask(null);
    expect([old.data.text, old.headers.get("age")]).toEqual(["anonymous 1", "9"]);
    expect(old.headers.get("cache-control")).toBe("public, max-age=10");
    expect(old.headers.has("vary")).toBe(false);
    clock.move(1);
    const fresh = await ask(null);
    expect([fresh.data.text, fresh.headers.get("age")]).toEqual(["anonymous 3", "0"]);
  });

  test("is never older than its time, however long it took to make", async () => {
    let clock: MovingClock | null = null;
    const set = setUp({ scope: "public", maxAgeS: 10 }, () => {
      clock?.move(20_000);
      return "made";
    });
    clock = set.clock;
    expect((await set.ask(null)).headers.get("age")).toBe("0");
    clock.move(9_999);
    const { data, headers } = await set.ask(null);
    expect([data.text, headers.get("age")]).toEqual(["made 1", "9"]);
  });

  test("that only clients keep is made for each request", async () => {
    const { ask } = setUp({ scope: "public", maxAgeS: 10, onlyClients: true });
    expect(await textOf(ask(null))).toBe("anonymous 1");
    const { data, headers } = await ask(null);
    expect([data.text, headers.get("cache-control"), headers.has("age")]).toEqual([
      "anonymous 2",
      "public, max-age=10",
      false,
    ]);
  });
});

describe("an actor's answer", () => {
  const ada = { type: "user", id: "user_ada", role: "user", sessionId: "ses_1" } as const;
  const asked = ({ actor, ability }: Context) => `${JSON.stringify(actor)} ${ability.can("manage", "User")}`;

  test("is given to that actor alone, and caches on the way are told so", async () => {
    const { ask } = setUp({ scope: "actor", maxAgeS: 10 }, ({ actor }) => ("id" in actor ? actor.id : actor.type));
    for (let i = 0; i < 2; i++) {
      expect(await textOf(ask("ada"))).toBe("user_ada 1");
      expect(await textOf(ask("ben"))).toBe("user_ben 2");
      expect(await textOf(ask(null))).toBe("anonymous 3");
    }
    const { headers } = await ask("ada");
    expect(headers.get("cache-control")).toBe("private, max-age=10");
    expect(headers.get("vary")).toBe("Authorization");
  });

  test("is another one when they may do something else, for another organization, and by somebody else", async () => {
    const { ask } = setUp({ scope: "actor", maxAgeS: 10 }, asked);
    Object.assign(actors, {
      user: ada,
      admin: { ...ada, role: "admin" },
      one: { ...ada, organizationId: "org_1" },
      two: { ...ada, organizationId: "org_2" },
      support: { ...ada, impersonatorId: "user_root" },
      key: { ...ada, apiKeyId: "key_1" },
    } satisfies Record<string, Actor>);
    const texts = [];
    for (const who of ["user", "admin", "one", "two", "support", "key"]) texts.push(await textOf(ask(who)));
    expect(texts.map((text) => text.at(-1))).toEqual(["1", "2", "3", "4", "5", "6"]);
    expect(texts.map((text) => text.includes("true"))).toEqual([false, true, false, false, false, false]);
  });

  test("is the same in each of their sessions, and tells of none", async () => {
    const { ask } = setUp({ scope: "actor", maxAgeS: 10 }, asked);
    Object.assign(actors, { first: ada, second: { ...ada, sessionId: "ses_2" } });
    const text = await textOf(ask("first"));
    expect(text).not.toContain("ses_1");
    expect(await textOf(ask("second"))).toBe(text);
  });
});

describe("an answer by ability", () => {
  test("is shared by those who may do the same, and by no others", async () => {
    const seen = ({ ability }: Context) => (ability.can("manage", "User") ? "everything" : "their own");
    const { ask } = setUp({ scope: "ability", maxAgeS: 10 }, seen);
    expect(await textOf(ask("root"))).toBe("everything 1");
    expect(await textOf(ask("boss"))).toBe("everything 1");
    // What each of them may read is another row, as the conditions of their rules say.
    expect(await textOf(ask("ada"))).toBe("their own 2");
    expect(await textOf(ask("ben"))).toBe("their own 3");
    expect(await textOf(ask(null))).toBe("their own 4");
    expect(await textOf(ask("ada"))).toBe("their own 2");
  });

  test("cannot be made from the actor, who would be told to others", async () => {
    const { ask, lines } = setUp({ scope: "ability", maxAgeS: 10 });
    const { status, headers } = await ask("root");
    expect([status, headers.get("cache-control")]).toEqual([500, "private, no-store"]);
    expect(lines.join()).toContain("shared by ability cannot depend on the actor");
  });
});

describe("an answer with tags", () => {
  test("is made anew when one of them is invalidated, from what is committed, and clients ask each time", async () => {
    const { ask, cache, state } = setUp({ scope: "public", maxAgeS: 10, tags: ({ id }) => [`note:${id}`] });
    const first = await ask(null);
    expect(first.headers.get("cache-control")).toBe("public, no-cache");
    expect(state.fresh).toBe(true);
    const etag = first.headers.get("etag") ?? "";
    const same = await ask(null, "/notes/1", { "if-none-match": etag });
    expect([same.status, same.text, same.headers.get("cache-control")]).toEqual([304, "", "public, no-cache"]);
    await ask(null, "/notes/2");
    await cache.invalidateTag("note:1");
    const changed = await ask(null, "/notes/1", { "if-none-match": etag });
    expect([changed.status, changed.data.text]).toEqual([200, "anonymous 3"]);
    expect(await textOf(ask(null, "/notes/2"))).toBe("anonymous 2");
  });
});

test("a handler that waits for its signal ends when a request may take no longer, whoever still waits", async () => {
  const ended = (signal: AbortSignal) =>
    new Promise<string>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const { ask } = setUp({ scope: "public", maxAgeS: 10 }, ({ signal }) => ended(signal));
  const { status, headers } = await ask(null);
  expect([status, headers.get("cache-control")]).toEqual([503, "private, no-store"]);
});

test("what is kept is what may leave, and a problem is not kept", async () => {
  const { ask, cache, state } = setUp({ scope: "public", maxAgeS: 10 }, () => {
    if (state.calls === 1) throw new Error("the first time it fails");
    return "ok";
  });
  expect((await ask(null)).status).toBe(500);
  const { text } = await ask(null);
  expect(text).toContain("ok 2");
  expect(text).not.toContain("it does not leave");
  const kept: string[] = [];
  cache.on(({ type, key }) => kept.push(`${type} ${key}`));
  await ask(null);
  expect(kept).toEqual([expect.stringContaining("hit getNote *")]);
  const [, key = ""] = /hit (.*)/.exec(kept[0] ?? "") ?? [];
  expect(JSON.stringify(await cache.get(key))).not.toContain("it does not leave");
});

test("each version keeps its answers apart, whatever it is called", () => {
  const { cache } = setUp({ scope: "public", maxAgeS: 1 });
  const versions = [
    "1.2.3",
    "1.2.3+a",
    "1.2.3-a",
    "",
    "ä",
    ...["a", "b"].map((end) => `0.1.0-${"x".repeat(90)}${end}`),
  ];
  const names = versions.map(answersOf);
  expect(names[0]).toBe("routes-1.2.3");
  expect(new Set(names).size).toBe(versions.length);
  for (const name of names) cache.namespace(name);
});

test.each([
  [{ access: "optional" }, { scope: "public", maxAgeS: 1 }, "a public answer is that of a public route"],
  [{ access: "public" }, { scope: "actor", maxAgeS: 1 }, "a public answer is that of a public route"],
  [{ method: "post" }, { scope: "public", maxAgeS: 1 }, "only a read"],
  [{}, { scope: "public", maxAgeS: 0 }, "maxAgeS is from 1"],
  [{}, { scope: "public", maxAgeS: 1, onlyClients: true, tags: () => [] }, "no tags"],
  [{ headers: { "cache-control": "no-store" } }, { scope: "public", maxAgeS: 1 }, "cache-control follows"],
] as [Partial<Route>, RouteCache, string][])(
  "a declaration that contradicts itself stops the start: %j %j",
  (own, rule, fault) => {
    const wrong = { method: "get", path: "/x", id: "x", access: "public", answer: NoteDto, ...own } as Route;
    expect(() => cached(wrong, rule, shaper(wrong, { cursors, onSurplus: null }), {} as never)).toThrow(fault);
  },
);
