/** What a Worker's cron trigger finds, told by a signed webhook, and the rates of the jobs that it ran. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Webhook } from "standardwebhooks";
import { newId } from "../../src/core/id.ts";
import { type OwnDatabase, ownDatabase, serverAnswers } from "../helpers/postgres.ts";
import { startWorker, type Worker } from "../helpers/workerd.ts";

const SECRET = `whsec_${Buffer.alloc(32, 5).toString("base64")}`;
const hasServer = await serverAnswers();
const iso = (ms = 0) => new Date(Date.now() + ms).toISOString();

for (const engine of ["d1", "PostgreSQL"] as const) {
  describe.skipIf(engine === "PostgreSQL" && !hasServer)(engine, () => {
    const received: { type: string; data: { kind: string; subject: string } }[] = [];
    let worker: Worker;
    let own: OwnDatabase | null = null;
    /** Until then the job that waits for the anchor takes long. */
    const anchored = Promise.withResolvers<void>();
    const hook = Bun.serve({
      port: 0,
      async fetch(request) {
        if (request.url.endsWith("/anchor")) return anchored.promise.then(() => new Response());
        const body = await request.text();
        received.push(new Webhook(SECRET).verify(body, Object.fromEntries(request.headers)) as never);
        return new Response(null, { status: 204 });
      },
    });
    const query = async (text: string) => (own ? [...(await own.sql.unsafe(text))] : worker.query(text));
    beforeAll(async () => {
      if (engine === "PostgreSQL") own = await ownDatabase();
      const vars = {
        ALERT_WEBHOOK_URL: hook.url.href,
        ALERT_WEBHOOK_SECRET: SECRET,
        AUDIT_ANCHORS: new URL("/anchor", hook.url).href,
      };
      worker = await startWorker({ database: own ? { hyperdrive: own.url } : "d1", vars });
    }, 60_000);
    afterAll(async () => {
      await worker?.stop();
      await own?.drop();
      await hook.stop(true);
    });

    test("the cron trigger tells of jobs that no worker knows, once, and that they have gone", async () => {
      const id = newId("job");
      await query(
        `insert into jobs (id, created_at, name, queue, state, rank, run_at, input, input_version, attempt, max_attempts)
         values ('${id}', '${iso()}', 'nobody.knows', 'default', 'waiting', 0, '${iso(-600_000)}', '{}', 1, 0, 1)`,
      );
      await worker.tick();
      await worker.tick();
      expect(received).toMatchObject([
        { type: "alert.raised", data: { kind: "job.unknown", subject: "nobody.knows" } },
      ]);
      await query(`delete from jobs where id = '${id}'`);
      await query(`update alerts set seen_at = '${iso(-60_000)}'`);
      await worker.tick();
      expect(received.map(({ type }) => type)).toEqual(["alert.raised", "alert.cleared"]);
      expect(await query("select id from alerts")).toEqual([]);
    }, 30_000);

    test("what the jobs of an invocation came to is counted before it ends", async () => {
      await query(
        `insert into jobs (id, created_at, name, queue, state, rank, run_at, input, input_version, attempt, max_attempts)
         values ('${newId("job")}', '${iso()}', 'limits.sweep', 'default', 'waiting', 0, '${iso()}', '{}', 1, 0, 1)`,
      );
      await worker.tick();
      const rows = await query("select name, done from job_minutes where name = 'limits.sweep'");
      expect(rows.reduce((sum, { done }) => sum + Number(done), 0)).toBeGreaterThanOrEqual(1);
    }, 30_000);

    test("what dies is told of while the cron trigger still runs others", async () => {
      received.length = 0;
      for (const [name, input] of [
        ["audit.anchor", JSON.stringify({ anchor: `webhook:${hook.url.host}`, jws: "x" })],
        ["idempotency.sweep", "[]"],
      ])
        await query(
          `insert into jobs (id, created_at, name, queue, state, rank, run_at, input, input_version, attempt, max_attempts)
           values ('${newId("job")}', '${iso()}', '${name}', 'default', 'waiting', 0, '${iso()}', '${input}', 1, 0, 1)`,
        );
      let isOver = false;
      const ticked = worker.tick().then(() => {
        isOver = true;
      });
      for (let i = 0; i < 180 && received.length === 0; i++) await Bun.sleep(50);
      const told = [...received];
      const wasOver = isOver;
      anchored.resolve();
      await ticked;
      expect(wasOver).toBe(false);
      expect(told).toMatchObject([{ type: "alert.raised", data: { kind: "job.dead", subject: "idempotency.sweep" } }]);
      expect(await query("select state from jobs where name = 'audit.anchor'")).toEqual([{ state: "done" }]);
    }, 30_000);
  });
}
