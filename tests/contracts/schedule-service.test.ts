/** What an operator is answered who runs a schedule now whose job may be there only once. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { z } from "zod";
import { toInstant } from "../../src/core/clock.ts";
import { createJobs } from "../../src/modules/jobs/service.ts";
import { createSchedules } from "../../src/modules/schedules/service.ts";
import { inward } from "../../src/policy/context.ts";
import { createMemoryBus } from "../../src/ports/bus/memory.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { defineJob } from "../../src/ports/queue/define.ts";
import { createQueue } from "../../src/ports/queue/queue.ts";
import { schedule } from "../../src/ports/schedule/define.ts";
import { createScheduler } from "../../src/ports/schedule/scheduler.ts";
import { abilities } from "../../src/rules.ts";
import type { Opened } from "../helpers/databases.ts";
import { engines } from "../helpers/engines.ts";
import { movingClock } from "./limits.ts";

const log = createConsoleLog({ level: "silent", print: () => {} });
const actor = { type: "system", id: "test" } as const;
const newest = {
  limit: 20,
  sort: { field: "dueAt", descending: true },
  after: null,
  filters: [],
  fields: null,
  count: false,
};

describe.each(engines)("on $name", ({ open }) => {
  let opened: Opened;
  beforeAll(async () => {
    opened = await open();
  }, 60_000);
  afterAll(() => opened.done());

  function operating(mode: "skip" | "replace" | "debounce") {
    const { db } = opened;
    const clock = movingClock();
    const job = defineJob({
      name: `case.${mode}`,
      input: z.object({ n: z.number() }),
      unique: { key: () => "one", mode },
    });
    const scheduler = createScheduler({ db, clock, log, schedules: [schedule("0 3 * * *", job, { input: { n: 1 } })] });
    const context = () =>
      inward(
        { requestId: null, traceId: null, now: toInstant(clock.now()), signal: new AbortController().signal },
        { actor, ability: abilities.abilityFor(actor) },
      );
    const schedules = createSchedules({ db, scheduler });
    const jobs = createJobs({ db, bus: createMemoryBus({ log }) });
    return {
      enqueue: async () => String((await createQueue({ db, clock }).add(job, { n: 2 }, { delayMs: 60_000 })).id),
      run: () => schedules.run(context(), job.name, undefined),
      runs: async () => (await schedules.runs(context(), job.name, newest)).items,
      job: (id: string | null) => jobs.get(context(), String(id)),
    };
  }

  test("a job that is there already and is to be left alone is a conflict, and nothing is written down", async () => {
    const { enqueue, run, runs, job } = operating("skip");
    const id = await enqueue();
    await expect(run()).rejects.toMatchObject({ code: "conflict" });
    expect(await runs()).toEqual([]);
    expect(await job(id)).toMatchObject({ state: "delayed", input: { n: 2 } });
  });

  test.each([
    ["replace", "delayed"],
    ["debounce", "waiting"],
  ] as const)("under %s the run is the job that is there, as it is then: %s", async (mode, state) => {
    const { enqueue, run, runs, job } = operating(mode);
    const id = await enqueue();
    const answer = await run();
    expect(answer).toMatchObject({ jobId: id, state });
    expect(await runs()).toEqual([answer]);
    expect(await job(answer.jobId)).toMatchObject({ id, state, input: { n: 1 } });
  });
});
