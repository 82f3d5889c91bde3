/** How a process ends: by a signal, under load, and by one too many. */
import { describe, expect, test } from "bun:test";
import { tmpdir } from "node:os";
import { openRaw, type RawConnection, statusOf } from "../helpers/raw.ts";
import { commandOf, type ProcessRuntime, processRuntimes, type Server, startServer } from "../helpers/server.ts";
import { environment, settings } from "./settings.ts";

const LIMIT_MS = 30_000;

/** A login of which the server has the head and a part of the body: under way, until the rest is sent. */
async function halfALogin({ url }: Server): Promise<{ connection: RawConnection; rest: string }> {
  const body = JSON.stringify(settings.admin);
  const connection = await openRaw(url);
  const head = [
    "POST /v1/auth/login HTTP/1.1",
    "Host: api.example.com",
    "Content-Type: application/json",
    `Content-Length: ${body.length}`,
  ];
  connection.write(`${head.join("\r\n")}\r\n\r\n${body.slice(0, 10)}`);
  return { connection, rest: body.slice(10) };
}

/** Null when the port is closed. */
const statusAt = (url: string, path: string): Promise<number | null> =>
  fetch(url + path, { keepalive: false }).then(
    ({ status }) => status,
    () => null,
  );

const start = (runtime: ProcessRuntime, env: Record<string, string>) =>
  startServer({ runtime, database: "sqlite::memory:", env: { ...environment, ...env } });

for (const runtime of processRuntimes) {
  const found = commandOf(runtime);
  const why = "missing" in found ? ` (${found.missing})` : "";
  describe.skipIf(why !== "")(`ending ${runtime}${why}`, () => {
    test.each(["SIGTERM", "SIGINT"] as const)(
      "on %s readiness falls while the port is still open, requests under way are answered, idle connections hold nothing up, and the code is 0",
      async (signal) => {
        const server = await start(runtime, { SHUTDOWN_LEAD_MS: "400" });
        const idle = await openRaw(server.url);
        idle.write("GET /livez HTTP/1.1\r\nHost: api.example.com\r\n\r\n");
        await idle.until(/"ok"/);
        const halves = await Promise.all(Array.from({ length: 5 }, () => halfALogin(server)));
        // An answer to a later request on another connection: the halves have been read by then.
        expect(await statusAt(server.url, "/readyz")).toBe(200);

        server.kill(signal);
        const ready: (number | null)[] = [];
        const live: (number | null)[] = [];
        while (ready.at(-1) !== null) {
          ready.push(await statusAt(server.url, "/readyz"));
          if (ready.at(-1) === 503) live.push(await statusAt(server.url, "/livez"));
        }
        expect(ready).toContain(503);
        expect(ready.slice(ready.indexOf(503)).every((status) => status === 503 || status === null)).toBe(true);
        expect(live).toContain(200);

        for (const { connection, rest } of halves) connection.write(rest);
        const answers = await Promise.all(
          halves.map(({ connection }) => connection.until(/accessToken|HTTP\/1\.1 [345]/)),
        );
        expect(answers.map(statusOf)).toEqual(Array(5).fill(200));
        const since = performance.now();
        expect(await server.exited).toEqual({ code: 0, signal: null });
        expect(performance.now() - since).toBeLessThan(3000);
        expect(server.lines().at(-1)?.msg).toBe("stopped");
        idle.close();
      },
      LIMIT_MS,
    );

    test("a port that is taken ends it with 1, and a line that says why", async () => {
      const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
      const { command } = found as { command: string[] };
      const child = Bun.spawn(command, {
        cwd: tmpdir(),
        env: { NODE_ENV: "test", DATABASE_URL: "sqlite::memory:", ...environment, PORT: `${taken.port}` },
      });
      const printed = await new Response(child.stdout).text();
      expect(await child.exited).toBe(1);
      const msg = `the start failed: PORT: ${taken.port} is in use`;
      expect(JSON.parse(printed.trim())).toMatchObject({ msg, code: "EADDRINUSE" });
      taken.stop(true);
    });

    test(
      "a second signal ends it at once, whatever is under way",
      async () => {
        const server = await start(runtime, { SHUTDOWN_LEAD_MS: "0" });
        const { connection } = await halfALogin(server);
        expect(await statusAt(server.url, "/livez")).toBe(200);
        server.kill("SIGTERM");
        await server.line(({ msg }) => msg === "stopping");
        // Two signals within 50 ms are one, which a script runner has passed on.
        for (const until = Date.now() + 60; Date.now() < until; ) await statusAt(server.url, "/livez");
        const since = performance.now();
        server.kill("SIGTERM");
        expect((await server.exited).code).toBe(1);
        expect(performance.now() - since).toBeLessThan(1000);
        connection.close();
      },
      LIMIT_MS,
    );

    test(
      "a request that does not end holds it up no longer than the time of grace",
      async () => {
        const server = await start(runtime, { SHUTDOWN_LEAD_MS: "0", SHUTDOWN_GRACE_MS: "1500" });
        const { connection } = await halfALogin(server);
        expect(await statusAt(server.url, "/livez")).toBe(200);
        const since = performance.now();
        server.kill("SIGTERM");
        expect((await server.exited).code).toBe(0);
        expect(performance.now() - since).toBeLessThan(3000);
        connection.close();
      },
      LIMIT_MS,
    );
  });
}
