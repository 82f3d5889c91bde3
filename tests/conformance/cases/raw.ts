/** What only a hand-made request has: the framing of HTTP/1.1 itself (RFC 9112), where a server of its own answers. */
import { expect } from "bun:test";
import { leakOf } from "../../helpers/client.ts";
import { sendRaw } from "../../helpers/raw.ts";
import { type Case, unique, type World } from "../world.ts";

const crlf = (...lines: string[]) => `${lines.join("\r\n")}\r\n\r\n`;

/** Sends it; expects one of these, nothing of the inside, and that the server goes on. */
async function answers(world: World, request: string, statuses: readonly number[]): Promise<string> {
  const { status, text } = await sendRaw(world.url, request);
  const line = `${request.slice(0, 60)}…`;
  expect([line, statuses.includes(status) ? "fits" : status]).toEqual([line, "fits"]);
  expect(leakOf(text)).toBeNull();
  expect((await world.guest()("GET", "/livez")).status).toBe(200);
  return text;
}

const host = "Host: api.example.com";
const login = "POST /v1/auth/login HTTP/1.1";
const json = "Content-Type: application/json";
const needs = ["own server"] as const;

export const rawCases: Case[] = [
  {
    name: "no host, two hosts, and a host that is none are 400",
    needs,
    async run(world) {
      const get = "GET /livez HTTP/1.1";
      await answers(world, crlf(get, "Connection: close"), [400]);
      await answers(world, crlf(get, host, "Host: evil.example", "Connection: close"), [400]);
      for (const name of ["a, b", "a/b", "a@b", "a b", "evil.example?x", "a:port"])
        await answers(world, crlf(get, `Host: ${name}`, "Connection: close"), [400]);
      await answers(world, crlf(get, host, "Connection: close"), [200]);
    },
  },
  {
    name: "two lengths, or a length beside chunks, are 400, and what follows is not read as a request",
    needs,
    async run(world) {
      const smuggled = `GET /smuggled-${unique()} HTTP/1.1\r\n${host}\r\n\r\n`;
      const both = crlf(login, host, json, "Content-Length: 5", "Transfer-Encoding: chunked");
      const text = await answers(world, `${both}0\r\n\r\n${smuggled}`, [400]);
      expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
      await answers(world, `${crlf(login, host, json, "Content-Length: 2", "Content-Length: 3")}{}x`, [400]);
      await answers(
        world,
        `${crlf(login, host, json, "Transfer-Encoding: chunked", "Transfer-Encoding: identity")}0\r\n\r\n`,
        [400, 501],
      );
      await answers(world, `${crlf(login, host, json, "Transfer-Encoding: xchunked")}0\r\n\r\n`, [400, 501]);
      await answers(world, `${crlf(login, host, json, "Transfer-Encoding : chunked")}0\r\n\r\n`, [400, 501]);
    },
  },
  {
    name: "a length that is no number in decimal digits is 400",
    needs,
    async run(world) {
      for (const length of ["-1", "+2", "0x2", "1e1", "2 2", "2,2", "99999999999999999999999"])
        await answers(world, `${crlf(login, host, json, `Content-Length: ${length}`)}{}`, [400, 413]);
    },
  },
  {
    name: "TRACE, CONNECT and made-up methods are refused, and not echoed",
    needs,
    async run(world) {
      for (const method of ["TRACE", "TRACK", "CONNECT", "FOO"]) {
        const target = method === "CONNECT" ? "example.com:443" : "/v1/me";
        const text = await answers(
          world,
          crlf(`${method} ${target} HTTP/1.1`, host, "X-Canary: zz9", "Connection: close"),
          [0, 400, 404, 405, 501],
        );
        expect(text).not.toContain("zz9");
      }
    },
  },
  {
    name: "targets that climb, are doubled, or name another host lead nowhere else",
    needs,
    async run(world) {
      const { accessToken } = world.owner;
      const ask = (target: string) =>
        sendRaw(
          world.url,
          crlf(`GET ${target} HTTP/1.1`, host, `Authorization: Bearer ${accessToken}`, "Connection: close"),
        );
      for (const target of [
        "//v1/me",
        "/v1//me",
        "/v1/me%00",
        "/v1/me;x=1",
        "/v1/me/.",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/package.json",
        "\\v1\\me",
      ]) {
        const { status, text } = await ask(target);
        expect([target, [200, 204, 301].includes(status) && text.includes(world.owner.email)]).toEqual([target, false]);
        expect(status).toBeLessThan(500);
      }
    },
  },
  {
    name: "headers of 100 kB and lines that are no headers are refused without a fault",
    needs,
    async run(world) {
      const get = "GET /livez HTTP/1.1";
      await answers(world, crlf(get, host, `Authorization: Bearer ${"a".repeat(100_000)}`), [0, 400, 431]);
      await answers(world, crlf(get, host, "no colon here"), [0, 400]);
      await answers(world, crlf(get, host, "x y: z"), [0, 400]);
      await answers(world, crlf(get, host, "x:\u0000y", "Connection: close"), [0, 400]);
      await answers(world, "GET /livez HTTP/9.9\r\n\r\n", [0, 400, 505]);
      await answers(world, "\u0016\u0003\u0001\u0000\u0001", [0, 400]);
    },
  },
  {
    name: "a query that cannot be decoded is refused or taken as it is, and never a fault",
    needs,
    async run(world) {
      const bearer = `Authorization: Bearer ${world.admin.accessToken}`;
      for (const query of [
        "%",
        "limit=%zz",
        "limit=%00",
        "%ff=%ff",
        "sort=%E0%A4%A",
        "=",
        "&&&=&",
        "filter%5B=1",
        "limit=1&limit=2",
        "__proto__=1",
        "constructor=1",
      ]) {
        const text = await answers(
          world,
          crlf(`GET /v1/users?${query} HTTP/1.1`, host, bearer, "Connection: close"),
          [200, 400, 422],
        );
        if (/limit=|__proto__|constructor|filter/.test(query)) expect(text).toMatch(/^HTTP\/1.1 4/);
      }
    },
  },
  {
    name: "a name in a URL or a header ends in no line of an answer's head",
    needs,
    async run(world) {
      const split = "%0d%0aSet-Cookie:%20a=b";
      const text = await answers(
        world,
        crlf(`GET /${split} HTTP/1.1`, host, `X-Request-Id: a${split}`, "Connection: close"),
        [404],
      );
      expect(text).not.toMatch(/^set-cookie/im);
    },
  },
];
