import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { z } from "zod";
import { systemClock, toInstant } from "../../src/core/clock.ts";
import { createQueues } from "../../src/modules/jobs/queues.ts";
import { createJobs } from "../../src/modules/jobs/service.ts";
import { inward } from "../../src/policy/context.ts";
import { createMemoryBus } from "../../src/ports/bus/memory.ts";
import type { Bus } from "../../src/ports/bus/port.ts";
import { createPostgresBus } from "../../src/ports/bus/postgres.ts";
import { createBunSql } from "../../src/ports/db/bun-sql.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { databaseDispatch } from "../../src/ports/queue/database.ts";
import { defineJob, handle, PermanentError } from "../../src/ports/queue/define.ts";
import { createJobEvents } from "../../src/ports/queue/events.ts";
import { createJobMinutes } from "../../src/ports/queue/minutes.ts";
import { type JobNews, publishJobNews, watchJobs } from "../../src/ports/queue/news.ts";
import { createQueue } from "../../src/ports/queue/queue.ts";
import { createJobStore } from "../../src/ports/queue/store.ts";
import { connect } from "../../src/ports/queue/wake.ts";
import { createWorker } from "../../src/ports/queue/worker.ts";
import { abilities } from "../../src/rules.ts";
import { type Opened, openPostgres, openSqlite } from "../helpers/databases.ts";
import { type OwnDatabase, ownDatabase, serverAnswers } from "../helpers/postgres.ts";
import { shortest } from "../helpers/time.ts";

const log = createConsoleLog({ level: "silent", print: () => {} });
const actor = { type: "system", id: "test" } as const;
const context = () =>
  inward(
    { requestId: null, traceId: null, now: toInstant(systemClock.now()), signal: new AbortController().signal },
    { actor, ability: abilities.abilityFor(actor) },
  );

const task = defineJob({
  name: "test.task",
  input: z.object({ how: z.enum(["hang", "die", "work"]) }),
  retry: { attempts: 3 },
});

const poison = defineJob({ name: "test.poison", input: z.object({}) });

async function until(fits: () => boolean | Promise<boolean>) {
  for (const end = performance.now() + 20_000; !(await fits()); ) {
    if (performance.now() > end) throw new Error("it does not come");
    await Bun.sleep(5);
  }
}

/** An operator in one process, and a worker in another: each has a bus of its own where the engine has one for several processes. */
function operating(name: string, open: () => Promise<Opened>, openBus: (own: OwnDatabase | null) => Bus) {
  describe(name, () => {
    let opened: Opened;
    let own: OwnDatabase | null = null;
    let end = async () => {};
    const aborted: string[] = [];
    let minutes: ReturnType<typeof createJobMinutes>;
    const heard: JobNews[] = [];
    const ran: string[] = [];
    const poisoned: string[] = [];
    let jobs: ReturnType<typeof createJobs>;
    let queues: ReturnType<typeof createQueues>;
    let queue: ReturnType<typeof createQueue>;
    beforeAll(async () => {
      opened = await open();
      const { db } = opened;
      if (name === "PostgreSQL") own = await ownDatabase();
      const theirs = openBus(own);
      const ours = own ? openBus(own) : theirs;
      await Promise.all([theirs.ready(), ours.ready()]);
      const handler = handle(task, async ({ how }, { signal, jobId }) => {
        ran.push(jobId);
        if (how === "die") throw new PermanentError("no");
        if (how !== "hang") return;
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        aborted.push(jobId);
      });
      const killed = handle(poison, (_, { jobId }) => {
        poisoned.push(jobId);
        throw new PermanentError("no");
      });
      const events = createJobEvents({ log });
      minutes = createJobMinutes({ db, events, log, timer: false });
      const news = publishJobNews({ events, bus: theirs });
      watchJobs(ours, { news: (told) => heard.push(...told), missed: () => {} });
      const worker = createWorker({
        store: createJobStore(db),
        handlers: [handler, killed],
        dispatch: databaseDispatch,
        events,
        clock: systemClock,
        log,
        concurrency: 5,
      });
      const wakes = connect({ db, bus: theirs, worker, relay: null });
      jobs = createJobs({ db, bus: ours });
      queues = createQueues({ db, bus: ours });
      queue = createQueue({ db, clock: systemClock });
      await worker.start();
      end = async () => {
        wakes.close();
        await worker.stop(1_000);
        news.close();
        await minutes.close();
        await Promise.all([theirs.close(), ours.close()]);
      };
    }, 60_000);
    afterAll(async () => {
      await end();
      await opened.done();
      await own?.drop();
    });
    const state = async (id: string) => (await jobs.get(context(), id)).state;

    test("a job that runs is cancelled at once: its handler's signal is aborted, and its answer does not count", async () => {
      // Without the bus it would be told by the next beat, of which there is one in three seconds.
      const take = async () => {
        const { id } = await queue.add(task, { how: "hang" });
        await until(() => ran.includes(id as string));
        const since = performance.now();
        await jobs.cancel(context(), id as string);
        await until(() => aborted.includes(id as string));
        const ms = performance.now() - since;
        await Bun.sleep(50);
        expect(await state(id as string)).toBe("cancelled");
        return ms;
      };
      expect(await shortest(1_000, take)).toBeLessThan(1_000);
    });

    test("what is cancelled or drained is counted and told once, whether it runs or waits", async () => {
      const rates = async () => {
        await minutes.flush();
        const [queue] = await queues.list(context());
        return queue?.lastMinutes.cancelled ?? 0;
      };
      const before = await rates();
      const running = await queue.add(task, { how: "hang" });
      await until(() => ran.includes(running.id as string));
      await queues.pause(context(), "default");
      const ids = await queue.addMany(task, [{ how: "work" }, { how: "work" }, { how: "work" }]);
      await jobs.cancel(context(), running.id as string);
      await until(() => aborted.includes(running.id as string));
      await jobs.cancel(context(), ids[0] as string);
      expect(await queues.drain(context(), "default")).toEqual({ jobs: 2, more: false });
      await queues.resume(context(), "default");
      const all = [running.id as string, ...ids];
      const told = () => heard.flatMap((item) => ("id" in item && item.kind === "cancelled" ? [item.id] : []));
      await until(() => all.every((id) => told().includes(id)));
      // What a process tells comes a quarter of a second later at most.
      await Bun.sleep(300);
      expect(
        told()
          .filter((id) => all.includes(id))
          .toSorted(),
      ).toEqual(all.toSorted());
      expect(await rates()).toBe(before + 4);
    });

    test("a dead job that is retried runs at once, with its further attempts", async () => {
      const { id } = await queue.add(task, { how: "die" });
      await until(async () => (await state(id as string)) === "failed");
      await jobs.retry(context(), id as string, 2);
      await until(() => ran.filter((one) => one === id).length === 2);
      await until(async () => (await state(id as string)) === "failed");
      expect(await jobs.get(context(), id as string)).toMatchObject({ attempt: 2, maxAttempts: 3 });
    });

    test("dead jobs that are retried batch by batch run once each, also where they die again meanwhile", async () => {
      const ids = await queue.addMany(poison, [{}, {}, {}, {}, {}]);
      const haveRun = (times: number) =>
        until(async () => {
          const states = await Promise.all(ids.map(state));
          return poisoned.length === times && states.every((one) => one === "failed");
        });
      await haveRun(5);
      const ctx = context();
      // A millisecond that is over.
      await Bun.sleep(2);
      const batch = { attempts: 1, limit: 2 };
      for (const [i, answer] of [
        { jobs: 2, more: true },
        { jobs: 2, more: true },
        { jobs: 1, more: false },
      ].entries()) {
        expect(await jobs.retryDead(i === 0 ? ctx : context(), poison.name, { ...batch, diedBy: ctx.now })).toEqual(
          answer,
        );
        await haveRun(Math.min(10, 7 + 2 * i));
      }
      expect(await jobs.retryDead(ctx, poison.name, batch)).toEqual({ jobs: 0, more: false });
      expect(await jobs.retryDead(context(), poison.name, { attempts: 1, limit: 10 })).toEqual({
        jobs: 5,
        more: false,
      });
      await haveRun(15);
    });

    test("nothing of a paused queue starts until it is resumed, and then at once", async () => {
      const take = async () => {
        await queues.pause(context(), "default");
        const { id } = await queue.add(task, { how: "work" });
        await Bun.sleep(300);
        expect(await state(id as string)).toBe("waiting");
        await queues.resume(context(), "default");
        const since = performance.now();
        await until(async () => (await state(id as string)) === "done");
        return performance.now() - since;
      };
      expect(await shortest(500, take)).toBeLessThan(500);
    });

    test("of two who retry the same dead job at one time one is refused, and it runs once", async () => {
      const { id } = await queue.add(task, { how: "die" });
      await until(async () => (await state(id as string)) === "failed");
      await queues.pause(context(), "default");
      const both = await Promise.allSettled([
        jobs.retry(context(), id as string, 1),
        jobs.retry(context(), id as string, 1),
      ]);
      expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
      await queues.resume(context(), "default");
      await until(async () => (await state(id as string)) === "failed");
      expect(ran.filter((one) => one === id)).toHaveLength(2);
    });
  });
}

operating(
  "SQLite",
  () => openSqlite("memory", openBunSqlite),
  () => createMemoryBus({ log }),
);
if (await serverAnswers())
  operating(
    "PostgreSQL",
    () => openPostgres(createBunSql),
    (own) => createPostgresBus({ url: own?.url ?? "", log }),
  );
