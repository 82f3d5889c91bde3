/** Schedules, as administrators and monitors meet them. */
import { expect } from "bun:test";
import { idPrefixes, newId } from "../../../src/core/id.ts";
import { settings } from "../settings.ts";
import { type Case, unique, type World } from "../world.ts";

const needs = ["sql"] as const;
const iso = (ms = 0) => new Date(Date.now() + ms).toISOString();
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

const scheduleOf = async ({ admin }: World, name: string) =>
  (await admin.api("GET", "/v1/schedules")).data.find((known: { name: string }) => known.name === name);
const runsOf = async ({ admin }: World, name: string, query = "") =>
  (await admin.api("GET", `/v1/schedules/${name}/runs${query}`)).data;
const auditOf = ({ query }: World, action: string, id: string) =>
  query?.("select * from audit_entries where action = ? and entity_id = ? order by id", [action, id]) ?? [];

/** As soon as it holds. */
async function until<T>(ask: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (let value = await ask(); ; value = await ask()) {
    if (holds(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export const scheduleCases: Case[] = [
  {
    name: "the service's own schedules are listed by name, with when they are due next; a monitor sees them and changes nothing",
    async run(world) {
      const monitor = world.guest().with({ authorization: `Bearer ${settings.probeToken}` });
      for (const api of [world.admin.api, monitor]) {
        const { data } = await api("GET", "/v1/schedules");
        const names = data.map(({ name }: { name: string }) => name);
        expect(names).toEqual(names.toSorted());
        for (const name of [
          "auth.sweep-sessions",
          "idempotency.sweep",
          "jobs.purge",
          "limits.sweep",
          "schedules.purge",
        ])
          expect(names).toContain(name);
      }
      const sweep = await scheduleOf(world, "auth.sweep-sessions");
      expect(sweep).toMatchObject({
        pattern: "20 3 * * *",
        timezone: "UTC",
        job: "auth.sweep-sessions",
        overlap: "skip",
      });
      expect(sweep.nextAt).toMatch(/T03:20:00\.000Z$/);
      expect(sweep.nextAt > iso()).toBe(true);
      expect((await monitor("PATCH", "/v1/schedules/jobs.purge", { body: { paused: true } })).status).toBe(403);
      expect((await monitor("POST", "/v1/schedules/jobs.purge/run", { body: {} })).status).toBe(403);
    },
  },
  {
    name: "a schedule is paused and resumed once, each with an entry in the audit trail",
    needs,
    async run(world) {
      const name = "idempotency.sweep";
      const set = (paused: boolean) => world.admin.api("PATCH", `/v1/schedules/${name}`, { body: { paused } });
      const before = (await auditOf(world, "schedule.pause", name)).length;
      const paused = [await set(true), await set(true)].map(({ data }) => data);
      expect(paused[0]).toMatchObject({
        name,
        state: "paused",
        nextAt: null,
        pausedAt: expect.stringMatching(INSTANT),
      });
      expect(paused[1]).toEqual(paused[0]);
      expect(await scheduleOf(world, name)).toEqual(paused[0]);
      const resumed = [await set(false), await set(false)].map(({ data }) => data);
      expect(resumed[0]).toMatchObject({
        name,
        state: "active",
        pausedAt: null,
        nextAt: expect.stringMatching(INSTANT),
      });
      expect(resumed[1]).toEqual(resumed[0]);
      const entries = [await auditOf(world, "schedule.pause", name), await auditOf(world, "schedule.resume", name)];
      expect(entries.map(({ length }) => length - before)).toEqual([1, 1]);
      expect(entries[0]?.at(-1)).toMatchObject({ actor_id: world.admin.id, entity_type: "Schedule" });
    },
  },
  {
    name: "a schedule that is run now makes a job at once, whose end stands in its history",
    needs,
    async run(world) {
      const name = "schedules.purge";
      const { nextAt } = await scheduleOf(world, name);
      const headers = { "idempotency-key": unique() };
      const run = () => world.admin.api("POST", `/v1/schedules/${name}/run`, { body: {}, headers });
      const [first, again] = [await run(), await run()];
      expect(first.status).toBe(202);
      const { jobId } = first.data;
      expect(jobId).toMatch(/^job_/);
      expect(first.data).toMatchObject({ cause: "manual", state: "waiting" });
      expect(again.data).toEqual(first.data);
      expect((await scheduleOf(world, name)).nextAt).toBe(nextAt);
      const found = () => runsOf(world, name, `?filter[dueAt][gte]=${first.data.dueAt}`);
      expect((await found()).map(({ id }: { id: string }) => id)).toEqual([first.data.id]);
      const [entry] = await auditOf(world, "schedule.run", name);
      expect(JSON.stringify(entry?.new_value)).toContain(jobId);
      const [job] = (await world.query?.("select name, schedule_name from jobs where id = ?", [jobId])) ?? [];
      expect(job).toEqual({ name, schedule_name: name });
      const [done] = await until(found, ([{ state }]) => state === "done");
      expect(done.durationMs).toBeGreaterThanOrEqual(0);
    },
  },
  {
    name: "an input that the job's type refuses is told of, and nothing is run",
    async run(world) {
      const { status, json } = await world.admin.api("POST", "/v1/schedules/limits.sweep/run", {
        body: { input: "text" },
      });
      expect(status).toBe(422);
      expect(json).toMatchObject({ code: "invalid_input", errors: [{ in: "body", pointer: "/input" }] });
      expect((await runsOf(world, "limits.sweep")).every(({ cause }: { cause: string }) => cause !== "manual")).toBe(
        true,
      );
    },
  },
  {
    name: "while the job of an earlier run goes on another cannot be asked for",
    needs,
    async run(world) {
      const name = "jobs.purge";
      const [run, job] = [newId(idPrefixes.scheduleRun), newId(idPrefixes.job)];
      await world.query?.(
        `insert into jobs (id, created_at, name, queue, state, rank, run_at, input, input_version, attempt, max_attempts)
         values ('${job}', '${iso()}', 'unknown.${unique()}', 'q', 'waiting', 0, '${iso()}', '{}', 1, 0, 1)`,
      );
      await world.query?.(
        `insert into schedule_runs (id, created_at, schedule_name, due_at, cause, job_id) values ('${run}', '${iso()}', '${name}', '${iso()}', 'manual', '${job}')`,
      );
      const send = () => world.admin.api("POST", `/v1/schedules/${name}/run`, { body: {} });
      const refused = await send();
      expect([refused.status, refused.json.code]).toEqual([409, "conflict"]);
      await world.query?.(`update jobs set state = 'done', finished_at = '${iso()}' where id = '${job}'`);
      expect((await send()).status).toBe(202);
      const ended = (await runsOf(world, name)).find(({ id }: { id: string }) => id === run);
      expect(ended).toMatchObject({ state: "done", jobId: job });
    },
  },
  {
    name: "a run is shown as its job is, also when that is retried after its end, alone or with all dead ones of its type",
    needs,
    async run(world) {
      const name = `revived.${unique()}`;
      const at = iso();
      await world.query?.(
        `insert into schedules (id, created_at, pattern, timezone, job_name, last_at) values ('${name}', '${at}', '0 3 * * *', 'UTC', 'gone', '${at}')`,
      );
      const jobs = [newId(idPrefixes.job), newId(idPrefixes.job)];
      for (const [i, job] of jobs.entries()) {
        await world.query?.(
          `insert into jobs (id, created_at, name, queue, state, rank, run_at, input, input_version, attempt, max_attempts, finished_at)
           values ('${job}', '${at}', '${name}', 'q-${name}', 'failed', 0, '${at}', '{}', 1, 1, 1, '${at}')`,
        );
        await world.query?.(
          `insert into schedule_runs (id, created_at, schedule_name, due_at, cause, job_id, outcome, finished_at)
           values ('${newId(idPrefixes.scheduleRun)}', '${at}', '${name}', '${iso(i)}', 'cron', '${job}', 'failed', '${at}')`,
        );
      }
      const states = async () =>
        (await runsOf(world, name)).map(({ state, finishedAt }: Record<string, unknown>) => [state, finishedAt]);
      const ended = ["failed", at];
      const open = ["waiting", null];
      expect(await states()).toEqual([ended, ended]);
      expect((await world.admin.api("POST", `/v1/jobs/${jobs[0]}/retry`, { body: {} })).status).toBe(200);
      expect(await states()).toEqual([ended, open]);
      const all = await world.admin.api("POST", `/v1/job-types/${name}/retry`, {
        body: {},
        headers: { "idempotency-key": unique() },
      });
      expect(all.data).toEqual({ jobs: 1, more: false });
      expect(await states()).toEqual([open, open]);
      await world.query?.(`update jobs set state = 'done', finished_at = '${iso()}' where name = '${name}'`);
    },
  },
  {
    name: "a schedule that is not declared any more is shown as retired, and neither paused nor run",
    needs,
    async run(world) {
      const name = `retired.${unique()}`;
      await world.query?.(
        `insert into schedules (id, created_at, pattern, timezone, job_name, last_at) values ('${name}', '${iso()}', '0 3 * * *', 'UTC', 'gone', '${iso()}')`,
      );
      expect(await scheduleOf(world, name)).toMatchObject({ state: "retired", nextAt: null, overlap: null });
      expect(await runsOf(world, name)).toEqual([]);
      expect((await world.admin.api("PATCH", `/v1/schedules/${name}`, { body: { paused: true } })).status).toBe(409);
      expect((await world.admin.api("POST", `/v1/schedules/${name}/run`, { body: {} })).status).toBe(409);
    },
  },
  {
    name: "a schedule that does not exist is not found, whatever is wanted of it",
    async run({ admin }) {
      const path = `/v1/schedules/none.${unique()}`;
      expect((await admin.api("GET", `${path}/runs`)).status).toBe(404);
      expect((await admin.api("PATCH", path, { body: { paused: true } })).status).toBe(404);
      expect((await admin.api("POST", `${path}/run`, { body: {} })).status).toBe(404);
    },
  },
];
