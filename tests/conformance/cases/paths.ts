/** Paths, methods, and the headers of answers: what holds before any route looks at a request. */
import { expect } from "bun:test";
import { settings } from "../settings.ts";
import { type Case, unique, type World } from "../world.ts";

/** Beside the operations. */
const pages = ["/openapi.json", "/docs", "/docs/errors"].map((path) => ({ path, methods: ["GET"] }));

/** The document's paths, filled in with somebody's id, and the pages. */
const pathsOf = ({ document, owner }: World): { path: string; methods: string[] }[] => [
  ...Object.entries(document.paths as Record<string, object>).map(([path, item]) => ({
    path: path.replace("{id}", owner.id),
    methods: Object.keys(item)
      .filter((key) => ["get", "post", "put", "patch", "delete"].includes(key))
      .map((method) => method.toUpperCase()),
  })),
  ...pages,
];

const withHead = (methods: string[]) =>
  [...(methods.includes("GET") ? ["HEAD"] : []), ...methods, "OPTIONS"].toSorted();
const listed = (header: string | null) => (header ?? "").split(/, */).toSorted();

export const pathCases: Case[] = [
  {
    name: "a path that does not exist is 404, and so is what only looks like one that does",
    async run({ guest, owner }) {
      const paths = ["/v1", `/${unique()}`, "/v1/me/", "/V1/me", "/v1/users/", "/v1/%6de%20", "/v1/auth"];
      for (const path of [
        ...paths,
        "/.env",
        "/.git/config",
        "/package.json",
        "/..%2f..%2fetc%2fpasswd",
        "/%2e%2e/src/app.ts",
      ]) {
        const answer = await owner.api("GET", path);
        expect([path, answer.status]).toEqual([path, 404]);
        expect(answer.json.code).toBe("not_found");
        expect((await guest()("GET", path)).status).toBe(404);
      }
    },
  },
  {
    name: "an id that cannot be one names nothing, whatever it is made of",
    async run({ admin, owner }) {
      const ids = [
        "1",
        "user_",
        owner.id.toUpperCase(),
        `${owner.id}0`,
        "sess_01kfyb0m7ve4z9q2x8c5h3n6t1",
        "user_01kfyb0m7ve4z9q2x8c5h3n6t1",
      ];
      const hostile = ["%00", "%E0%A4%A", "' or 1=1--", "../me", "%2e%2e%2fme", "user_%F0%9F%98%80", "x".repeat(4000)];
      for (const id of [...ids, ...hostile.map((text) => (text.startsWith("%") ? text : encodeURIComponent(text)))]) {
        const answer = await admin.api("GET", `/v1/users/${id}`);
        expect([id, answer.status]).toEqual([id, 404]);
      }
    },
  },
  {
    name: "a path with another method is 405, and Allow names those that it has",
    async run(world) {
      for (const { path, methods } of pathsOf(world)) {
        const wrong = ["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"].filter(
          (method) => !methods.includes(method),
        );
        const refused = wrong.map(async (method) => {
          const answer = await world.owner.api(method, path);
          expect([method, path, answer.status]).toEqual([method, path, 405]);
          expect(listed(answer.headers.get("allow"))).toEqual(withHead(methods));
        });
        await Promise.all(refused);
      }
    },
  },
  {
    name: "OPTIONS answers 204 with Allow, and 404 where there is no path",
    async run(world) {
      for (const { path, methods } of pathsOf(world)) {
        const answer = await world.guest()("OPTIONS", path);
        expect([path, answer.status]).toEqual([path, 204]);
        expect(listed(answer.headers.get("allow"))).toEqual(withHead(methods));
      }
      expect((await world.guest()("OPTIONS", `/${unique()}`)).status).toBe(404);
    },
  },
  {
    name: "HEAD answers as GET does, without a body",
    async run(world) {
      for (const { path, methods } of pathsOf(world)) {
        if (!methods.includes("GET")) continue;
        const [get, head] = [await world.admin.api("GET", path), await world.admin.api("HEAD", path)];
        expect([path, head.status, head.text]).toEqual([path, get.status, ""]);
        // Of a list or a probe the body differs from one request to the next.
        for (const name of ["content-type", "cache-control", "location"])
          expect([path, head.headers.get(name)]).toEqual([path, get.headers.get(name)]);
      }
      for (const path of ["/v1/me", "/docs"]) {
        const { text } = await world.owner.api("GET", path);
        const length = (await world.owner.api("HEAD", path)).headers.get("content-length");
        expect([path, length ?? Buffer.byteLength(text)]).toEqual([
          path,
          length === null ? Buffer.byteLength(text) : `${Buffer.byteLength(text)}`,
        ]);
      }
      const etag = (await world.owner.api("GET", "/v1/me")).headers.get("etag");
      expect((await world.owner.api("HEAD", "/v1/me")).headers.get("etag")).toBe(etag);
      expect((await world.owner.api("HEAD", "/v1/me", { headers: { "if-none-match": etag ?? "" } })).status).toBe(304);
      expect((await world.guest()("HEAD", "/v1/me")).status).toBe(401);
    },
  },
  {
    name: "an answer of success is data and meta, and meta tells the request and the time in UTC with milliseconds",
    async run({ owner }) {
      const before = Date.now();
      const { json, headers } = await owner.api("GET", "/v1/me");
      expect(Object.keys(json)).toEqual(["data", "meta"]);
      expect(json.meta).toEqual({ requestId: headers.get("x-request-id"), timestamp: expect.any(String) });
      expect(json.meta.timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      expect(Math.abs(Date.parse(json.meta.timestamp) - before)).toBeLessThan(60_000);
      expect(json.data.createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    },
  },
  {
    name: "a request id that is harmless is taken over; any other is replaced by one of the server's",
    async run({ guest }) {
      const ask = async (id: string) =>
        (await guest()("GET", "/livez", { headers: { "x-request-id": id } })).headers.get("x-request-id");
      for (const id of ["abc", `a.b_c:d@e-${unique()}`, "x".repeat(128)]) expect(await ask(id)).toBe(id);
      for (const id of ["a b", "<script>", 'x"y', "x".repeat(129), "a,b", "ü", "$(id)"])
        expect(await ask(id)).not.toBe(id);
    },
  },
  {
    name: "no answer sets a cookie, and answers with tokens or personal data are never stored by caches",
    async run({ session, owner }) {
      const { api } = await session(owner);
      const answer = await api("GET", "/v1/me");
      expect(answer.headers.has("set-cookie")).toBe(false);
      expect(answer.headers.get("cache-control")).toContain("no-store");
    },
  },
  {
    name: "a configured origin is answered by CORS, in preflights and in requests, without credentials",
    async run({ guest, owner }) {
      const { origin } = settings;
      const ask = {
        origin,
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "authorization,if-match",
      };
      const preflight = await guest()("OPTIONS", "/v1/me", { headers: ask });
      expect(preflight.headers.get("access-control-allow-origin")).toBe(origin);
      expect(preflight.headers.get("access-control-allow-methods")).toContain("PATCH");
      expect(preflight.headers.get("access-control-allow-headers")).toContain("authorization");
      for (const answer of [
        await owner.api("GET", "/v1/me", { headers: { origin } }),
        await guest()("GET", "/v1/me", { headers: { origin } }),
        await guest()("GET", "/nowhere", { headers: { origin } }),
      ]) {
        expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
        expect(answer.headers.get("access-control-expose-headers")).toContain("etag");
        expect(answer.headers.get("vary")).toMatch(/origin/i);
        expect(answer.headers.has("access-control-allow-credentials")).toBe(false);
      }
    },
  },
  {
    name: "any other origin is not, however much it looks like a configured one",
    async run({ guest, owner }) {
      const { origin } = settings;
      const evil = [
        "https://evil.example",
        "null",
        `${origin}.evil.example`,
        `${origin}:444`,
        origin.toUpperCase(),
        "http://app.example.com",
        "https://evilapp.example.com",
        "*",
      ];
      for (const other of evil) {
        for (const answer of [
          await owner.api("GET", "/v1/me", { headers: { origin: other } }),
          await guest()("OPTIONS", "/v1/me", { headers: { origin: other, "access-control-request-method": "DELETE" } }),
        ]) {
          expect([other, answer.headers.get("access-control-allow-origin")]).toEqual([other, null]);
          expect(answer.headers.has("access-control-allow-methods")).toBe(false);
          expect(answer.headers.get("vary")).toMatch(/origin/i);
        }
      }
    },
  },
  {
    name: "a URL of more than 8 KiB is 414",
    async run({ guest }) {
      const answer = await guest()("GET", `/livez?x=${"a".repeat(9000)}`);
      expect(answer.status).toBe(414);
    },
  },
];
