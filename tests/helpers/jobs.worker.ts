/** A Worker with jobs for tests, which are run as src/runtimes/worker.ts runs those of the service. */
import { sql } from "drizzle-orm/sql";
import { z } from "zod";
import { systemClock as clock } from "../../src/core/clock.ts";
import { parseEnv } from "../../src/env.ts";
import type { Builders } from "../../src/ports/db/port.ts";
import { createDatabaseLimits } from "../../src/ports/limits/database.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { createCloudflareCarrier, type QueueBatch } from "../../src/ports/queue/cloudflare.ts";
import { databaseDispatch } from "../../src/ports/queue/database.ts";
import { defineJob, handle } from "../../src/ports/queue/define.ts";
import { createJobEvents } from "../../src/ports/queue/events.ts";
import { createQueue } from "../../src/ports/queue/queue.ts";
import { createJobStore } from "../../src/ports/queue/store.ts";
import { openWorkerDb } from "../../src/runtimes/worker-db.ts";
import type { WorkerEnv } from "../../src/runtimes/worker-env.gen.ts";
import { createWorkerJobs } from "../../src/runtimes/worker-jobs.ts";
import { metered, meteredD1 } from "./metered-d1.ts";

const task = defineJob({
  name: "test.task",
  input: z.object({
    failures: z.number().default(0),
    children: z.number().default(0),
    ms: z.number().default(0),
    slowS: z.number().default(0),
  }),
  retry: { attempts: 3, delayMs: () => 1000 },
});

/** A statement of PostgreSQL that takes long. */
const sleep = (q: Builders) =>
  q.select({ slept: sql`pg_sleep(${sql.placeholder("slowS")}::float8)::text` }).from(sql`(select 1) one`);

/** What one group may do at once is known to the record alone, so its jobs are not carried. */
const grouped = defineJob({ name: "test.grouped", input: z.object({}), group: { concurrency: 1 } });

type Bindings = WorkerEnv & { WITH_GROUPS?: string; AFTER_REQUEST_MS?: string };

const runs = new Map<string, number>();
let isBroken = false;
let built: ReturnType<typeof build> | undefined;

function build(bindings: Bindings) {
  const env = parseEnv(bindings, "worker");
  const log = createConsoleLog({ level: "warn" });
  const { DB } = bindings;
  const { db, leases, scoped, isSpent, background } = openWorkerDb(env, {
    ...bindings,
    ...(DB && { DB: meteredD1(DB) }),
  });
  const store = createJobStore(db, leases);
  const queue = createQueue({ db, clock });
  const { JOBS } = bindings;
  const carrier =
    JOBS &&
    createCloudflareCarrier({
      sendBatch: (messages) => (isBroken ? Promise.reject(new Error("the queue is broken")) : JOBS.sendBatch(messages)),
    });
  const ran = (id: string) => runs.set(id, (runs.get(id) ?? 0) + 1);
  const handlers = [
    handle(task, async ({ failures, children, ms, slowS }, { jobId, attempt }) => {
      ran(jobId);
      if (slowS > 0) await db.all(db.prepare(sleep)({ slowS: String(slowS) }), { fresh: true });
      if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
      if (attempt <= failures) throw new Error(`attempt ${attempt}`);
      for (let i = 0; i < children; i++) await queue.add(task, {});
    }),
    ...(bindings.WITH_GROUPS ? [handle(grouped, (_, { jobId }) => void ran(jobId))] : []),
  ];
  const jobs = createWorkerJobs({
    db,
    store,
    handlers,
    dispatch: carrier ? { name: env.jobs.dispatch, carrier } : databaseDispatch,
    events: createJobEvents({ log }),
    clock,
    log,
    limits: createDatabaseLimits({ db }),
    concurrency: 5,
    isSpent,
    background,
    ...(bindings.AFTER_REQUEST_MS && { afterRequestMs: Number(bindings.AFTER_REQUEST_MS) }),
  });

  async function answer(request: Request): Promise<Response> {
    const asked = (await request.json()) as Asked;
    if (asked.ask === "break") isBroken = asked.isBroken;
    if (asked.ask === "send") await JOBS?.sendBatch(asked.ids.map((body) => ({ body, contentType: "text" })));
    if (asked.ask !== "add") return Response.json({ runs: Object.fromEntries(runs) });
    const type = asked.grouped ? grouped : task;
    const ids = await queue.addMany(type as typeof task, asked.inputs, { delayMs: asked.delayMs ?? 0 });
    return Response.json({ ids });
  }
  return { jobs, scoped, answer };
}

type TaskInput = z.input<(typeof task)["input"]>;
export type Asked =
  | { ask: "add"; inputs: TaskInput[]; grouped?: boolean; delayMs?: number }
  | { ask: "runs" }
  | { ask: "send"; ids: string[] }
  | { ask: "break"; isBroken: boolean };

interface Invocation {
  waitUntil(promise: Promise<unknown>): void;
}

const of = (bindings: Bindings) => {
  built ??= build(bindings);
  return built;
};

const later = (invocation: Invocation) => (promise: Promise<unknown>) => invocation.waitUntil(promise);

export default {
  fetch(request: Request, bindings: Bindings, invocation: Invocation): Promise<Response> {
    const { jobs, scoped, answer } = of(bindings);
    return metered(() => scoped(() => jobs.watched(() => answer(request)), later(invocation)));
  },
  scheduled(_: unknown, bindings: Bindings, invocation: Invocation): Promise<void> {
    const { jobs, scoped } = of(bindings);
    return metered(() => scoped(() => jobs.drain(), later(invocation)));
  },
  queue(batch: QueueBatch, bindings: Bindings, invocation: Invocation): Promise<void> {
    const { jobs, scoped } = of(bindings);
    return metered(() => scoped(() => jobs.deliver(batch), later(invocation)));
  },
};
