/** Jobs and queues, as administrators and monitors meet them. Jobs are written beside the server, of a type that it does not know. */
import { expect } from "bun:test";
import { idPrefixes, newId } from "../../../src/core/id.ts";
import type { Answer } from "../../helpers/client.ts";
import { settings } from "../settings.ts";
import { type Case, unique, type World } from "../world.ts";

const needs = ["sql"] as const;
const SECRET = "hunter2-of-the-payload";
const iso = (ms = 0) => new Date(Date.now() + ms).toISOString();

interface Fields {
  name: string;
  runAt?: string;
  state?: string;
  queue?: string;
  finishedAt?: string;
}

/** A job in the table; its id. */
async function job(
  { query }: World,
  {
    name,
    state = "failed",
    queue = `q-${name}`,
    finishedAt,
    runAt = iso(state === "delayed" ? 3_600_000 : -5000),
  }: Fields,
): Promise<string> {
  const id = newId(idPrefixes.job);
  const ended = ["done", "failed", "cancelled"].includes(state);
  const json = (value: unknown) => JSON.stringify(value).replaceAll("'", "''");
  const input = json({ to: "ada@example.com", password: SECRET, nested: { apiKey: SECRET, hasToken: true } });
  const error = json({ code: "error", message: `no: token=${SECRET}`, attempt: 2 });
  const actor = json({ type: "user", id: "user_x", role: "user", sessionId: "sess_x" });
  await query?.(
    `insert into jobs (id, created_at, name, queue, state, rank, run_at, input, input_version, attempt, max_attempts, result, error, actor, request_id, finished_at)
     values ('${id}', '${iso()}', '${name}', '${queue}', '${state}', 0, '${runAt}', '${input}', 1, 2, 2, '${json({ secret: SECRET, sent: 3 })}',
       '${error}', '${actor}', 'r-1', ${ended ? `'${finishedAt ?? iso()}'` : "null"})`,
  );
  return id;
}

/** Nobody runs these jobs, and none is to be left that waits. */
const drain = ({ admin }: World, name: string) => admin.api("POST", `/v1/queues/q-${name}/drain`);

const stateOf = async ({ query }: World, id: string) =>
  (await query?.("select state from jobs where id = ?", [id]))?.[0]?.state;
const auditOf = ({ query }: World, action: string, id: string) =>
  query?.("select * from audit_entries where action = ? and entity_id = ?", [action, id]) ?? [];
const names = ({ data }: Answer) => data.map(({ name }: { name: string }) => name);

export const jobCases: Case[] = [
  {
    name: "a job that waits for too long is shown to those who see the details of readiness, and takes nothing out of service",
    needs,
    async run(world) {
      const name = `late.${unique()}`;
      await job(world, { name, state: "waiting", runAt: iso(-600_000) });
      const { data } = await world.admin.api("GET", "/readyz");
      const check = data.checks.find((known: { name: string }) => known.name === "jobs");
      expect(check).toMatchObject({
        ok: false,
        fault: expect.stringMatching(new RegExp(`^${name} waits for 60\\d s$`)),
      });
      expect((await world.guest()("GET", "/readyz")).data).toEqual({ status: "ok" });
      await world.admin.api("POST", `/v1/queues/q-${name}/pause`);
      const paused = await world.admin.api("GET", "/readyz");
      expect(paused.data.checks.find((known: { name: string }) => known.name === "jobs").ok).toBe(true);
      await world.admin.api("POST", `/v1/queues/q-${name}/resume`);
      await drain(world, name);
    },
  },
  {
    name: "an administrator sees what a job was given and answered, without what looks like a credential",
    needs,
    async run(world) {
      const name = `seen.${unique()}`;
      const id = await job(world, { name });
      const answer = await world.admin.api("GET", `/v1/jobs/${id}`);
      expect(answer.data).toMatchObject({
        id,
        name,
        state: "failed",
        attempt: 2,
        input: { to: "ada@example.com", password: "[redacted]", nested: { apiKey: "[redacted]", hasToken: true } },
        result: { secret: "[redacted]", sent: 3 },
        error: { code: "error", message: "no: token=[redacted]" },
        actor: { type: "user", id: "user_x" },
        requestId: "r-1",
      });
      const list = await world.admin.api("GET", `/v1/jobs?filter[name][eq]=${name}`);
      expect(list.data).toHaveLength(1);
      expect(list.data[0].input).toBeUndefined();
      for (const { text } of [answer, list]) expect(text).not.toContain(SECRET);
    },
  },
  {
    name: "a monitor sees how jobs and queues are, and neither payloads nor errors nor whom they are about; and changes nothing",
    needs,
    async run(world) {
      const name = `monitored.${unique()}`;
      const id = await job(world, { name });
      const monitor = world.guest().with({ authorization: `Bearer ${settings.probeToken}` });
      const { data, text } = await monitor("GET", `/v1/jobs/${id}`);
      expect(data).toMatchObject({ id, name, state: "failed", attempt: 2 });
      for (const field of ["input", "result", "progress", "error", "actor", "uniqueKey", "requestId"])
        expect(data).not.toHaveProperty(field);
      expect(text).not.toContain("ada@example.com");
      const list = await monitor("GET", `/v1/jobs?filter[name][eq]=${name}`);
      expect(list.data).toMatchObject([{ id, state: "failed" }]);
      expect(list.data[0]).not.toHaveProperty("error");
      expect(names(await monitor("GET", "/v1/queues"))).toContain(`q-${name}`);
      for (const path of [`/v1/jobs/${id}/cancel`, `/v1/queues/q-${name}/pause`, `/v1/queues/q-${name}/drain`])
        expect((await monitor("POST", path)).status).toBe(403);
      expect((await monitor("POST", `/v1/jobs/${id}/retry`, { body: {} })).status).toBe(403);
    },
  },
  {
    name: "jobs are listed by name, queue, state and time, page by page, each once",
    needs,
    async run(world) {
      const name = `listed.${unique()}`;
      const start = iso(-1000);
      const ids: string[] = [];
      for (const state of ["failed", "done", "waiting", "cancelled", "delayed", "done", "failed"])
        ids.push(await job(world, { name, state }));
      const get = (filter: string) => world.admin.api("GET", `/v1/jobs?${filter}`);
      const found = async (filter: string) => (await get(filter)).data.map(({ id }: { id: string }) => id);
      const mine = `filter[name][eq]=${name}`;
      expect(await found(mine)).toEqual(ids.toReversed());
      expect(await found(`${mine}&sort=id`)).toEqual(ids);
      expect(await found(`${mine}&filter[state][eq]=done`)).toEqual([ids[5], ids[1]] as string[]);
      expect(await found(`${mine}&filter[state][eq]=failed`)).toEqual([ids[6], ids[0]] as string[]);
      expect(await found(`filter[queue][eq]=q-${name}&filter[state][eq]=delayed`)).toEqual([ids[4]] as string[]);
      expect(await found(`${mine}&filter[createdAt][gte]=${start}`)).toEqual(ids.toReversed());
      expect(await found(`${mine}&filter[createdAt][lt]=${start}`)).toEqual([]);
      expect(await found(`${mine}&filter[createdAt][gt]=${iso(7_200_000)}`)).toEqual([]);
      expect((await get(`${mine}&count=exact`)).json.meta.page.total).toBe(7);
      for (const sort of ["-id", "id"]) {
        const walked: string[] = [];
        for (let next = ""; ; ) {
          const { data, json } = await get(`${mine}&sort=${sort}&limit=3${next}`);
          walked.push(...data.map(({ id }: { id: string }) => id));
          if (json.meta.page.next === null) break;
          next = `&cursor=${json.meta.page.next}`;
        }
        expect(walked).toEqual(sort === "id" ? ids : ids.toReversed());
      }
      expect((await get("filter[state][eq]=lost")).status).toBe(422);
      expect((await get("filter[input][eq]=x")).status).toBe(422);
      await drain(world, name);
    },
  },
  {
    name: "a dead job runs again when it is told to, once for one idempotency key, and leaves one entry in the audit trail",
    needs,
    async run(world) {
      const name = `again.${unique()}`;
      const id = await job(world, { name });
      const send = () =>
        world.admin.api("POST", `/v1/jobs/${id}/retry`, {
          body: { attempts: 3 },
          headers: { "idempotency-key": `retry-${id}` },
        });
      const [first, second] = [await send(), await send()];
      expect(first.data).toMatchObject({ id, state: "waiting", attempt: 2, maxAttempts: 5, finishedAt: null });
      expect(second.json).toEqual(first.json);
      expect(second.headers.get("idempotent-replayed")).toBe("true");
      expect(await stateOf(world, id)).toBe("waiting");
      expect(await auditOf(world, "job.retry", id)).toHaveLength(1);
      const again = await world.admin.api("POST", `/v1/jobs/${id}/retry`, { body: {} });
      expect([again.status, again.json.code]).toEqual([409, "conflict"]);
      for (const attempts of [0, 101, 1.5, "1"])
        expect((await world.admin.api("POST", `/v1/jobs/${id}/retry`, { body: { attempts } })).status).toBe(422);
      await drain(world, name);
    },
  },
  {
    name: "a change of many jobs is made once for one idempotency key, also by requests that come together, and each is answered how many they were",
    needs,
    async run(world) {
      const name = `many.${unique()}`;
      for (const state of ["failed", "failed", "failed", "waiting", "delayed"]) await job(world, { name, state });
      // A request may be called by the very number that stands for the one which is not known yet.
      const together = async (path: string, body?: object) => {
        const headers = { "idempotency-key": `${path}-${name}`, "x-request-id": "999999999999" };
        const send = () => world.admin.api("POST", path, { body, headers });
        const answers = [...(await Promise.all([send(), send(), send()])), await send()];
        expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
        expect(answers.filter((answer) => answer.headers.get("idempotent-replayed") !== "true")).toHaveLength(1);
        return answers[3]?.data;
      };
      expect(await together(`/v1/job-types/${name}/retry`, { limit: 2 })).toEqual({ jobs: 2, more: true });
      expect(await auditOf(world, "job.retry-dead", name)).toHaveLength(1);
      expect(await together(`/v1/queues/q-${name}/drain`)).toEqual({ jobs: 4, more: false });
      expect(await auditOf(world, "queue.drain", `q-${name}`)).toHaveLength(1);
      const purges = async () => (await auditOf(world, "job.purge", "cancelled")).length;
      const before = await purges();
      expect(await together("/v1/job-purges", { state: "cancelled", olderThanS: 0, limit: 3 })).toEqual({
        jobs: 3,
        more: true,
      });
      expect(await purges()).toBe(before + 1);
    },
  },
  {
    name: "a job that has not ended is cancelled, and one that has ended is not",
    needs,
    async run(world) {
      const name = `cancelled.${unique()}`;
      const id = await job(world, { name, state: "waiting" });
      const { data } = await world.admin.api("POST", `/v1/jobs/${id}/cancel`);
      expect(data).toMatchObject({ id, state: "cancelled", error: { code: "cancelled" } });
      expect(await stateOf(world, id)).toBe("cancelled");
      expect(await auditOf(world, "job.cancel", id)).toHaveLength(1);
      expect((await world.admin.api("POST", `/v1/jobs/${id}/cancel`)).status).toBe(409);
      const done = await job(world, { name, state: "done" });
      expect((await world.admin.api("POST", `/v1/jobs/${done}/cancel`)).status).toBe(409);
    },
  },
  {
    name: "all dead jobs of a type run again, and no others",
    needs,
    async run(world) {
      const name = `dead.${unique()}`;
      const ids = [await job(world, { name }), await job(world, { name }), await job(world, { name })];
      const others = [await job(world, { name, state: "cancelled" }), await job(world, { name: `${name}.other` })];
      const send = (body: object) => world.admin.api("POST", `/v1/job-types/${name}/retry`, { body });
      expect((await send({ diedBy: iso(-60_000) })).data).toEqual({ jobs: 0, more: false });
      expect((await send({ diedBy: "an hour ago" })).status).toBe(422);
      expect((await send({ limit: 2 })).data).toEqual({ jobs: 2, more: true });
      expect((await send({})).data).toEqual({ jobs: 1, more: false });
      for (const id of ids) expect(await stateOf(world, id)).toBe("waiting");
      expect(await Promise.all(others.map((id) => stateOf(world, id)))).toEqual(["cancelled", "failed"]);
      expect(await auditOf(world, "job.retry-dead", name)).toHaveLength(2);
      await drain(world, name);
    },
  },
  {
    name: "a queue is paused, shown with what waits in it, drained and resumed, and each is in the audit trail once",
    needs,
    async run(world) {
      const name = `queued.${unique()}`;
      const queue = `q-${name}`;
      const ids = [await job(world, { name, state: "waiting" }), await job(world, { name, state: "delayed" })];
      const find = async () =>
        (await world.admin.api("GET", "/v1/queues")).data.find((known: { name: string }) => known.name === queue);
      const before = await find();
      expect(before).toMatchObject({ pausedAt: null, counts: { waiting: 1, delayed: 1, failed: 0 } });
      expect(before.oldestWaitingMs).toBeGreaterThanOrEqual(4_900);
      expect(before.oldestWaitingMs).toBeLessThan(60_000);
      expect(before.lastMinutes).toMatchObject({ minutes: 5, done: 0 });

      const post = (verb: string) => world.admin.api("POST", `/v1/queues/${queue}/${verb}`);
      expect([(await post("pause")).status, (await post("pause")).status]).toEqual([204, 204]);
      expect((await find()).pausedAt).toBeString();
      expect((await post("drain")).data).toEqual({ jobs: 2, more: false });
      expect(await Promise.all(ids.map((id) => stateOf(world, id)))).toEqual(["cancelled", "cancelled"]);
      expect((await post("resume")).status).toBe(204);
      expect(await find()).toMatchObject({
        pausedAt: null,
        oldestWaitingMs: null,
        counts: { waiting: 0, cancelled: 2 },
      });
      for (const verb of ["pause", "drain", "resume"])
        expect(await auditOf(world, `queue.${verb}`, queue)).toHaveLength(1);
      expect((await world.admin.api("POST", `/v1/queues/${encodeURIComponent("no such name")}/pause`)).status).toBe(
        404,
      );
    },
  },
  {
    name: "minutes of a queue are listed newest first, with rates and latencies, and of that queue alone",
    needs,
    async run(world) {
      const name = `timed.${unique()}`;
      const queue = `q-${name}`;
      const begun = Date.now();
      const minute = (ago: number) => `${new Date(begun - ago * 60_000).toISOString().slice(0, 16)}:00.000Z`;
      for (const [ago, done] of [
        [0, 10],
        [1, 20],
        [30, 5],
      ] as const)
        await world.query?.(
          `insert into job_minutes (id, created_at, minute, queue, name, done, failed, wait_ms, wait_max_ms, wait10ms, run_ms, run_max_ms, run100ms)
           values ('${minute(ago)}/${queue}/${name}', '${iso()}', '${minute(ago)}', '${queue}', '${name}', ${done}, 1, ${done * 4}, 9, ${done}, ${done * 50}, 90, ${done})`,
        );
      const { data } = await world.admin.api("GET", `/v1/queues/${queue}/minutes`);
      expect(data.map(({ minute, done }: { minute: string; done: number }) => [minute, done])).toEqual([
        [minute(0), 10],
        [minute(1), 20],
        [minute(30), 5],
      ]);
      expect(data[0].run).toMatchObject({ count: 10, meanMs: 50, maxMs: 90, p50Ms: 50 });
      const recent = await world.admin.api(
        "GET",
        `/v1/queues/${queue}/minutes?filter[minute][gte]=${minute(5)}&limit=1`,
      );
      expect(recent.data).toHaveLength(1);
      expect(recent.json.meta.page.next).toBeString();
      expect((await world.admin.api("GET", `/v1/queues/other-${queue}/minutes`)).data).toEqual([]);
      const queues = (await world.admin.api("GET", "/v1/queues")).data;
      const shown = queues.find((known: { name: string }) => known.name === queue);
      expect(shown.lastMinutes).toMatchObject({ done: 30, failed: 2, wait: { count: 30, meanMs: 4, maxMs: 9 } });
    },
  },
  {
    name: "jobs that ended long ago are deleted, oldest first, and no others",
    needs,
    async run(world) {
      const name = `purged.${unique()}`;
      const long = "2001-01-01T00:00:00.000Z";
      const old = [
        await job(world, { name, finishedAt: long }),
        await job(world, { name, finishedAt: long }),
        await job(world, { name, state: "cancelled", finishedAt: long }),
      ];
      const young = await job(world, { name });
      const send = (body: object) => world.admin.api("POST", "/v1/job-purges", { body });
      const body = { state: "failed", olderThanS: 300_000_000 };
      expect((await send({ ...body, limit: 1 })).data).toEqual({ jobs: 1, more: true });
      expect((await send(body)).data).toEqual({ jobs: 1, more: false });
      expect(await Promise.all([...old, young].map((id) => stateOf(world, id)))).toEqual([
        undefined,
        undefined,
        "cancelled",
        "failed",
      ]);
      for (const wrong of [{ state: "active", olderThanS: 1 }, { state: "done" }, { state: "done", olderThanS: -1 }])
        expect((await send(wrong)).status).toBe(422);
    },
  },
];
