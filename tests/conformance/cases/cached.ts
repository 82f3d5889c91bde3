/** Answers that are kept: what may be kept by whom, and that an answer which was kept is this request's all the same. */
import { expect } from "bun:test";
import { type Case, unique } from "../world.ts";

export const cachedCases: Case[] = [
  {
    name: "a kept answer says who may keep it and how old it is, and bears the id and the time of the request that it answers",
    async run({ guest }) {
      const client = guest();
      const ids = [unique(), unique(), unique()];
      const answers = [];
      for (const id of ids) answers.push(await client("GET", "/", { headers: { "x-request-id": id } }));
      for (const [i, { status, headers, json }] of answers.entries()) {
        expect([status, headers.get("cache-control")]).toEqual([200, "public, max-age=300"]);
        expect(headers.get("age")).toMatch(/^\d{1,3}$/);
        expect(Number(headers.get("age"))).toBeLessThan(300);
        expect(json).toEqual({ data: answers[0]?.data, meta: { requestId: ids[i], timestamp: expect.any(String) } });
        expect(Math.abs(Date.parse(json.meta.timestamp) - Date.now())).toBeLessThan(60_000);
        expect(headers.get("etag")).toBe(answers[0]?.headers.get("etag") ?? "no tag");
        expect(headers.get("vary")).not.toMatch(/authorization/i);
      }
    },
  },
  {
    name: "a client that has a kept answer is told so with 304, and how much longer it may keep it",
    async run({ guest }) {
      const first = await guest()("GET", "/");
      const again = await guest()("GET", "/", { headers: { "if-none-match": first.headers.get("etag") ?? "" } });
      expect([again.status, again.text]).toEqual([304, ""]);
      for (const name of ["etag", "cache-control", "vary"])
        expect([name, again.headers.get(name)]).toEqual([name, first.headers.get(name)]);
      expect(Number(again.headers.get("age"))).toBeGreaterThanOrEqual(Number(first.headers.get("age")));
    },
  },
  {
    name: "problems of a route whose answers are kept are not to be kept",
    async run({ guest }) {
      const refused = [
        await guest()("GET", "/?x=1"),
        await guest()("GET", "/", { headers: { "if-none-match": "no quotes" } }),
        await guest()("POST", "/"),
      ];
      expect(refused.map(({ status }) => status)).toEqual([422, 400, 405]);
      for (const { headers } of refused) expect(headers.get("cache-control")).toBe("private, no-store");
    },
  },
  {
    name: "the key set is made for each request, and clients may keep it",
    async run({ guest }) {
      const { headers } = await guest()("GET", "/.well-known/jwks.json");
      expect(headers.get("cache-control")).toBe("public, max-age=300");
      expect(headers.has("age")).toBe(false);
      const again = await guest()("GET", "/.well-known/jwks.json", {
        headers: { "if-none-match": headers.get("etag") ?? "" },
      });
      expect([again.status, again.headers.get("cache-control")]).toEqual([304, "public, max-age=300"]);
    },
  },
];
