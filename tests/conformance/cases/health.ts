/** What monitors ask. */
import { expect } from "bun:test";
import manifest from "../../../package.json";
import { settings } from "../settings.ts";
import type { Case, World } from "../world.ts";

const ready = (world: World, headers: Record<string, string> = {}) => world.guest()("GET", "/readyz", { headers });

export const healthCases: Case[] = [
  {
    name: "livez says that the process is alive, and nothing else",
    async run({ guest }) {
      expect((await guest()("GET", "/livez")).data).toEqual({ status: "ok" });
    },
  },
  {
    name: "readyz tells strangers only that it is ready, and administrators and the probe's token each dependency and its latency",
    async run(world) {
      expect((await ready(world)).data).toEqual({ status: "ok" });
      expect((await world.owner.api("GET", "/readyz")).data).toEqual({ status: "ok" });
      const detailed = [
        await ready(world, { authorization: `Bearer ${settings.probeToken}` }),
        await world.admin.api("GET", "/readyz"),
      ];
      for (const { data } of detailed) {
        const names = data.checks.map(({ name }: { name: string }) => name);
        expect(names).toEqual(expect.arrayContaining(["database", "migrations"]));
        for (const { ok, ms, fault } of data.checks) {
          expect([ok, fault]).toEqual([true, null]);
          expect(ms).toBeGreaterThanOrEqual(0);
          expect(ms).toBeLessThan(2000);
        }
      }
    },
  },
  {
    name: "a token that is nearly the probe's is refused, and the probe's opens nothing else",
    async run(world) {
      for (const token of [
        `${settings.probeToken}x`,
        settings.probeToken.slice(0, -1),
        settings.probeToken.toUpperCase(),
      ])
        expect((await ready(world, { authorization: `Bearer ${token}` })).status).toBe(401);
      const probe = world.guest().with({ authorization: `Bearer ${settings.probeToken}` });
      expect((await probe("GET", "/v1/users")).status).toBe(403);
      expect([403, 404]).toContain((await probe("GET", `/v1/users/${world.owner.id}`)).status);
      expect([403, 404]).toContain((await probe("GET", "/v1/me")).status);
    },
  },
  {
    name: "version is that of the package, and no header tells what the server is made of",
    async run({ guest }) {
      const { data, headers } = await guest()("GET", "/version");
      expect(data).toEqual({ name: "hearth", version: manifest.version });
      expect([...headers.values()].join("\n")).not.toMatch(/\b(?:bun|node|hono|express|workerd)\b/i);
    },
  },
  {
    name: "the key set is public, may be kept for a while, and has no private part",
    async run({ guest }) {
      const { json, headers } = await guest()("GET", "/.well-known/jwks.json");
      const { kty, crv, x, kid } = settings.key;
      expect(json).toEqual({ keys: [{ kty, crv, x, kid, alg: "EdDSA", use: "sig" }] });
      expect(headers.get("cache-control")).toMatch(/max-age=[1-9]/);
    },
  },
];
