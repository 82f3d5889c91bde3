/** Rate limits: exactly as many pass as are allowed, however they arrive, and the answer says when to come back. */
import { expect } from "bun:test";
import type { Answer, Client } from "../../helpers/client.ts";
import { settings } from "../settings.ts";
import { type Case, unique } from "../world.ts";

const { auth, login, api } = settings.limits;
const statusesOf = (answers: readonly Answer[], status: number) => answers.filter((answer) => answer.status === status);

const guess = (client: Client) => client("POST", "/v1/auth/refresh", { body: { refreshToken: `rt_${unique()}` } });
const logIn = (client: Client, email: string, password: string) =>
  client("POST", "/v1/auth/login", { body: { email, password } });

/** How many of an hour's limit are free again while a test runs on a slow machine. */
const refilled = (limit: number, seconds: number) => Math.ceil((limit * seconds) / 3600);

export const limitCases: Case[] = [
  {
    name: `a flood of requests from one address to the authentication endpoints lets exactly ${auth} through, and another address is not held up`,
    async run(world) {
      const client = world.guest();
      const started = Date.now();
      const answers = await Promise.all(Array.from({ length: auth + 15 }, () => guess(client)));
      const passed = statusesOf(answers, 401).length;
      expect(passed).toBeGreaterThanOrEqual(auth);
      expect(passed).toBeLessThanOrEqual(auth + refilled(auth, (Date.now() - started) / 1000));
      const refused = statusesOf(answers, 429);
      expect(refused).toHaveLength(answers.length - passed);
      for (const { json, headers } of refused) {
        expect(json.code).toBe("too_many_requests");
        expect(Number(headers.get("retry-after"))).toBeLessThanOrEqual(3600 / auth);
        expect(headers.get("ratelimit-policy")).toBe(`"auth";q=${auth};w=3600`);
        expect(headers.get("ratelimit")).toMatch(/^"auth";r=0;t=\d+$/);
      }
      expect((await guess(world.guest())).status).toBe(401);
    },
  },
  {
    name: "what a client writes before the address that the trusted proxy wrote does not free it of its limit",
    async run(world) {
      const client = world.guest();
      await Promise.all(Array.from({ length: auth + 2 }, () => guess(client)));
      const address = client.headers["x-forwarded-for"] ?? "";
      for (const spoofed of [`203.0.113.7, ${address}`, `127.0.0.1, 203.0.113.8,${address}`, `nonsense, ${address}`])
        expect((await guess(client.with({ "x-forwarded-for": spoofed }))).status).toBe(429);
      for (const name of ["x-real-ip", "forwarded", "client-ip", "x-client-ip", "true-client-ip"])
        expect((await guess(client.with({ [name]: "203.0.113.9" }))).status).toBe(429);
    },
  },
  {
    name: `of guesses at one password that arrive together exactly ${login} are looked at; then the right one waits too, and elsewhere it works`,
    async run(world) {
      const { email, password } = await world.person();
      const client = world.guest();
      const answers = await Promise.all(
        Array.from({ length: login + 4 }, () => logIn(client, email, `a wrong phrase ${unique()}`)),
      );
      expect(statusesOf(answers, 401)).toHaveLength(login);
      expect(statusesOf(answers, 429)).toHaveLength(4);
      const right = await logIn(client, email.toUpperCase(), password);
      expect([right.status, right.json.code]).toEqual([429, "too_many_requests"]);
      expect(right.headers.get("ratelimit-policy")).toBe(`"login";q=${login};w=3600`);
      expect((await logIn(world.guest(), email, password)).status).toBe(200);
    },
  },
  {
    name: "guesses at an address that has no account are limited alike",
    async run(world) {
      const client = world.guest();
      const email = `nobody.${unique()}@example.com`;
      const answers = await Promise.all(
        Array.from({ length: login + 2 }, () => logIn(client, email, "a wrong phrase")),
      );
      expect([statusesOf(answers, 401).length, statusesOf(answers, 429).length]).toEqual([login, 2]);
    },
  },
  {
    name: "an answer tells the limit, and what is left of it, which goes down",
    async run({ owner }) {
      const left = async (method: string, path: string) => {
        const { headers } = await owner.api(method, path);
        expect(headers.get("ratelimit-policy")).toBe(`"api";q=${api};w=3600`);
        return Number(/^"api";r=(\d+);t=\d+$/.exec(headers.get("ratelimit") ?? "")?.[1]);
      };
      const before = await left("GET", "/v1/me");
      const after = await left("HEAD", "/v1/me");
      // A few are free again each second.
      expect(after).toBeLessThanOrEqual(before + 100);
      expect(before).toBeLessThan(api);
    },
  },
  {
    name: "probes are not counted",
    async run({ guest }) {
      for (const path of ["/livez", "/readyz", "/version"])
        expect((await guest()("GET", path)).headers.has("ratelimit")).toBe(false);
    },
  },
];
