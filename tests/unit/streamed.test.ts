/** A streamed answer over a real connection: it waits for its reader, ends when the reader has gone, and breaks off where it fails. */
import { afterEach, expect, test } from "bun:test";
import { Hono } from "hono";
import { z } from "zod";
import { systemClock } from "../../src/core/clock.ts";
import { type AppEnv, facts, factsOf } from "../../src/http/facts.ts";
import { mount } from "../../src/http/mount.ts";
import { route } from "../../src/http/route.ts";
import type { Shaper } from "../../src/http/shape.ts";
import { streamed } from "../../src/http/streamed.ts";
import { abilities } from "../../src/rules.ts";

const stops: (() => unknown)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

const PART = `${"x".repeat(65_535)}\n`;

function serve(parts: () => AsyncGenerator<string>) {
  const told: string[] = [];
  const log = { warn: (_: object, text: string) => void told.push(text) } as never;
  const spec = route({
    ...{ method: "get", path: "/lines", id: "lines", tag: { name: "T", description: "" }, summary: "" },
    ...{ access: "optional", params: z.object({}), stream: "application/x-ndjson" },
    handler: async () => parts(),
  } as never);
  const app = new Hono<AppEnv>();
  app.onError((error, c) => c.text(error.message, 500));
  mount(
    app,
    spec,
    [facts({ clock: systemClock, clientAddress: () => null })],
    [
      (c, next) => {
        c.set("input", { params: {}, body: undefined, list: null, ifMatch: null } as never);
        factsOf(c).ability = abilities.abilityFor({ type: "anonymous" });
        return next();
      },
      streamed(spec, "application/x-ndjson", (() => {}) as unknown as Shaper, log),
    ],
  );
  const server = Bun.serve({ port: 0, fetch: (request) => app.fetch(request) });
  stops.push(() => server.stop(true));
  return { url: `${server.url}lines`, told };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await Bun.sleep(5);
}

test("parts are made as they are read, and no more of them once the reader has gone", async () => {
  let made = 0;
  let ended = false;
  const { url, told } = serve(async function* () {
    try {
      for (; made < 100_000; made++) yield PART;
    } finally {
      ended = true;
    }
  });
  const leaving = new AbortController();
  const answer = await fetch(url, { signal: leaving.signal });
  expect(answer.headers.get("content-type")).toBe("application/x-ndjson");
  const reader = answer.body?.getReader();
  await reader?.read();
  // It fills what sockets take, and then stands still.
  for (let before = -1; before !== made; await Bun.sleep(150)) before = made;
  expect(made).toBeLessThan(2000);
  leaving.abort();
  await until(() => ended);
  expect(told).toEqual([]);
});

test("a fault before the first part is an answer of its own; a later one breaks the answer off, and is told", async () => {
  const early = serve(async function* () {
    yield* [];
    throw new Error("not at all");
  });
  const refused = await fetch(early.url);
  expect([refused.status, await refused.text()]).toEqual([500, "not at all"]);

  const late = serve(async function* () {
    yield "first\n";
    await Bun.sleep(20);
    throw new Error("no more");
  });
  const text = await fetch(late.url)
    .then((answer) => answer.text())
    .catch(() => "broken off");
  expect(["first\n", "broken off"]).toContain(text);
  await until(() => late.told.length > 0);
  expect(late.told).toEqual(["an answer broke off"]);
});
