/** Real processes on one PostgreSQL, which fire each time once, whoever of them is killed. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { type OpenedPostgres, openPostgres } from "../helpers/databases.ts";
import { serverAnswers } from "../helpers/postgres.ts";
import { everyMinute } from "./schedule.instances.ts";

describe.skipIf(!(await serverAnswers()))("several processes", () => {
  let opened: OpenedPostgres;
  beforeAll(async () => {
    opened = await openPostgres();
  }, 30_000);
  afterAll(() => opened?.done());

  const RUN_MS = 4_000;

  test("fire each time once, also while some of them are killed", async () => {
    const { db, url } = opened;
    const peer = () => {
      const command = [process.execPath, `${import.meta.dir}/schedule.instances.peer.ts`, url, String(RUN_MS)];
      const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
      const prints = createInterface({ input: Readable.fromWeb(child.stdout as never) })[Symbol.asyncIterator]();
      return { child, line: async () => (await prints.next()).value as string };
    };
    const stay = [peer(), peer()];
    const doomed = [peer(), peer()];
    const all = [...stay, ...doomed];
    for (const { line } of all) expect(await line()).toBe("ready");
    const began = Date.now();
    for (const { child } of all) {
      child.stdin.write(String(began));
      await child.stdin.end();
    }
    for (const [i, { child }] of doomed.entries()) setTimeout(() => child.kill("SIGKILL"), RUN_MS * (0.4 + 0.2 * i));
    const told = await Promise.all(stay.map(async ({ line }) => JSON.parse(await line())));
    await Promise.all(doomed.map(({ child }) => child.exited));

    const read = { fresh: true };
    const { scheduleRuns, jobs } = db.tables;
    const runs = await db.all(db.prepare((q) => q.select().from(scheduleRuns))(), read);
    const made = await db.all(db.prepare((q) => q.select({ id: jobs.id, name: jobs.scheduleName }).from(jobs))(), read);
    const fired = runs.filter(({ jobId }) => jobId !== null);
    // Each run has its job, and there is no job without a run.
    expect(fired.map(({ jobId }) => jobId as string).toSorted()).toEqual(made.map(({ id }) => id).toSorted());
    for (const { name } of everyMinute) {
      const minutes = fired.filter(({ scheduleName }) => scheduleName === name).map(({ dueAt }) => dueAt);
      expect(new Set(minutes).size).toBe(minutes.length);
      // A machine that stands still for more than a minute of this clock (10 ms) finds two due at once, and one of them missed: of 400 minutes
      // 17 were fired where fourteen processes shared two cores.
      expect(minutes.length).toBeGreaterThan(3);
    }
    for (const { fired: count } of told) expect(count).toBeGreaterThan(0);
    const times = runs.map(({ scheduleName, dueAt }) => `${scheduleName} ${dueAt}`);
    expect(new Set(times).size).toBe(times.length);
  }, 60_000);
});
