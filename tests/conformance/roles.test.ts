/** One database, and processes that answer the API, run jobs, or both. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/core/clock.ts";
import { sweepSessions } from "../../src/modules/auth/jobs.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { createJobReads } from "../../src/ports/queue/operate.ts";
import { createQueue } from "../../src/ports/queue/queue.ts";
import { type OpenedPostgres, openPostgres } from "../helpers/databases.ts";
import { serverAnswers } from "../helpers/postgres.ts";
import { commandOf, type ProcessRuntime, startServer } from "../helpers/server.ts";
import { environment } from "./settings.ts";

const LIMIT_MS = 60_000;
const hasServer = await serverAnswers();

describe.skipIf(!hasServer)("roles on PostgreSQL", () => {
  let own: OpenedPostgres;
  let db: Db;
  beforeAll(async () => {
    own = await openPostgres();
    db = own.db;
  }, LIMIT_MS);
  afterAll(() => own.done());

  const start = (runtime: ProcessRuntime, ROLE: string) =>
    startServer({ runtime, database: own.url, env: { ...environment, ROLE } });
  const enqueue = async () => (await createQueue({ db, clock: systemClock }).add(sweepSessions, {})).id ?? "";
  const find = (id: string) => createJobReads(db).find(id);
  async function ended(id: string, ms = 5_000) {
    for (const since = performance.now(); performance.now() - since < ms; await Bun.sleep(20)) {
      const job = await find(id);
      if (job?.state === "done") return job;
    }
    throw new Error(`it has not ended: ${JSON.stringify(await find(id))}`);
  }
  const status = async (url: string) => (await fetch(url)).status;

  for (const runtime of ["bun", "node24"] as const) {
    const found = commandOf(runtime);
    test.skipIf("missing" in found)(
      `${runtime}: the API leaves jobs to a worker, which answers the probes alone; a stop leaves no lease`,
      async () => {
        const api = await start(runtime, "api");
        const id = await enqueue();
        await Bun.sleep(1_500);
        expect((await find(id))?.state).toBe("waiting");
        expect(await status(`${api.url}/v1/users`)).toBe(401);

        const worker = await start(runtime, "worker");
        const { result, attempt } = await ended(id);
        expect({ result, attempt }).toEqual({ result: { deleted: 0 }, attempt: 1 });
        expect(await status(`${worker.url}/livez`)).toBe(200);
        expect(await status(`${worker.url}/readyz`)).toBe(200);
        for (const path of ["/v1/users", "/docs", "/openapi.json", "/"])
          expect(await status(worker.url + path)).toBe(404);
        expect((await worker.stop()).code).toBe(0);
        expect((await api.stop()).code).toBe(0);
        expect(await own.sql`select id from job_workers`.values()).toHaveLength(0);
      },
      LIMIT_MS,
    );
  }

  test(
    "where no worker is, the API tells that jobs wait",
    async () => {
      const env = { ...environment, ROLE: "api", ALERT_WAITING_S: "60" };
      const api = await startServer({ runtime: "bun", database: own.url, env });
      const id = await enqueue();
      await own.sql`update jobs set run_at = now() - interval '1 hour' where id = ${id}`;
      // It looks for the first time after 15 s.
      await Bun.sleep(13_000);
      const told = await api.line(({ kind }) => kind === "job.waiting");
      expect(told).toMatchObject({ level: "error", subject: sweepSessions.name, state: "raised" });
      await api.stop();
      await own.sql`delete from jobs where id = ${id}`;
    },
    LIMIT_MS,
  );

  test(
    "a process keeps the lease of its jobs while all connections of its pool are busy",
    async () => {
      const env = { ...environment, ROLE: "all", DATABASE_POOL_SIZE: "1" };
      const server = await startServer({ runtime: "bun", database: own.url, env });
      const requests: Promise<number>[] = [];
      await own.sql.begin(async (sql) => {
        const seenAt = async () => Number((await sql`select max(seen_at) as at from job_workers`)[0]?.at);
        await sql`lock table users in access exclusive mode`;
        const before = await seenAt();
        const login = { email: "nobody@example.com", password: "a long and private phrase" };
        for (let n = 0; n < 4; n++)
          requests.push(
            fetch(`${server.url}/v1/auth/login`, {
              method: "POST",
              headers: { "content-type": "application/json" },
              body: JSON.stringify(login),
            }).then(({ status }) => status),
          );
        // It is renewed every 3 s, and one statement may take 5.
        await Bun.sleep(4_500);
        expect(await seenAt()).toBeGreaterThan(before);
      });
      expect(await Promise.all(requests)).toEqual([401, 401, 401, 401]);
      await server.stop();
    },
    LIMIT_MS,
  );

  test(
    "a worker tells a person of no page that it does not serve",
    async () => {
      const fresh = await openPostgres();
      const env = { ...environment, ROLE: "worker", ADMIN_PASSWORD: "", NODE_ENV: "development", LOG_FORMAT: "json" };
      const worker = await startServer({ runtime: "bun", database: fresh.url, env });
      await worker.stop();
      await fresh.done();
      expect(worker.output()).toContain(`Hearth is ready at ${worker.url}`);
      expect(worker.output()).not.toContain("/docs");
    },
    LIMIT_MS,
  );

  test(
    "by default one process does both",
    async () => {
      const server = await start("bun", "all");
      await ended(await enqueue());
      expect(await status(`${server.url}/v1/users`)).toBe(401);
      expect((await server.stop()).code).toBe(0);
    },
    LIMIT_MS,
  );
});
