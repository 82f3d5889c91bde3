/**
 * Other queues as engines of the bench, each as its own guide tunes it for many small jobs. They are no packages of this project, and so
 * without types here.
 */
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Engine, inBatches, NOTE, type Payload, POOL, ROW_TABLE } from "./queue-engine.ts";

interface Options {
  url: string;
  redisUrl: string;
  /** The folder that has them in its node_modules. */
  folder: string;
  concurrency: number;
}

const INSERT_ROW = "insert into bench_rows (id, note) values ($1, $2)";

// biome-ignore lint/suspicious/noExplicitAny: whatever is installed.
type Loaded = any;
const load = (folder: string, name: string): Promise<Loaded> =>
  import(pathToFileURL(createRequire(join(resolve(folder), "package.json")).resolve(name)).href);

/** A transaction by hand, on a client of a pool. */
async function inTransaction(pool: Loaded, work: (client: Loaded) => Promise<unknown>): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    await client.query(INSERT_ROW, [randomUUID(), NOTE]);
    await work(client);
    await client.query("commit");
  } finally {
    client.release();
  }
}

const poolOf = async ({ url, folder }: Options): Promise<Loaded> => {
  const { default: pg } = await load(folder, "pg");
  const pool = new pg.Pool({ connectionString: url, max: POOL });
  await pool.query(ROW_TABLE);
  return pool;
};

/** A batch a turn, as large as the concurrency; with it as many turns as connections would bear. */
export async function pgBoss(options: Options): Promise<Engine> {
  const { PgBoss } = await load(options.folder, "pg-boss");
  const boss = new PgBoss({
    connectionString: options.url,
    useListenNotify: true,
    max: POOL,
    superviseIntervalSeconds: 60,
  });
  boss.on("error", console.error);
  await boss.start();
  for (const queue of ["bench"]) await boss.createQueue(queue, { notify: true }).catch(() => {});
  const pool = await poolOf(options);
  return {
    addMany: (payloads) =>
      inBatches(payloads, (batch) =>
        boss.insert(
          "bench",
          batch.map((data) => ({ data })),
        ),
      ),
    add: (payload) => boss.send("bench", payload),
    addWithRow: (payload) =>
      inTransaction(pool, (client) =>
        boss.send("bench", payload, {
          db: { executeSql: (text: string, values: unknown[]) => client.query(text, values) },
        }),
      ),
    async work(concurrency, onJob) {
      const settings = {
        batchSize: concurrency,
        localConcurrency: 1,
        pollingIntervalSeconds: 0.5,
        burstWhenBatchFull: true,
      };
      await boss.work("bench", settings, async (jobs: { data: Payload }[]) => {
        for (const { data } of jobs) onJob(data);
      });
      return () => boss.offWork("bench", { wait: false });
    },
    clear: () => boss.deleteAllJobs("bench"),
    async close() {
      await boss.stop({ graceful: false });
      await pool.end();
    },
  };
}

/** `tuned`: jobs are fetched and completed in batches, as its guide says under performance. */
export async function graphileWorker(options: Options, tuned: boolean): Promise<Engine> {
  const { run, makeWorkerUtils, Logger } = await load(options.folder, "graphile-worker");
  const { default: pg } = await load(options.folder, "pg");
  const logger = new Logger(() => () => {});
  const pool = await poolOf(options);
  const pgPool = new pg.Pool({ connectionString: options.url, max: tuned ? POOL + 2 : options.concurrency + 4 });
  const utils = await makeWorkerUtils({ pgPool, logger });
  await utils.migrate();
  const batched = { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
  return {
    addMany: (payloads) =>
      inBatches(payloads, (batch) => utils.addJobs(batch.map((payload) => ({ identifier: "noop", payload })))),
    add: (payload) => utils.addJob("noop", payload),
    addWithRow: (payload) =>
      inTransaction(pool, (client) =>
        client.query("select graphile_worker.add_job('noop', $1::json)", [JSON.stringify(payload)]),
      ),
    async work(concurrency, onJob) {
      const taskList = { noop: async (payload: Payload) => onJob(payload) };
      const preset = tuned ? { worker: batched } : undefined;
      const runner = await run({
        pgPool,
        logger,
        concurrency,
        noHandleSignals: true,
        pollInterval: 2000,
        taskList,
        preset,
      });
      return () => runner.stop();
    },
    clear: () => pool.query("truncate graphile_worker._private_jobs"),
    async close() {
      await utils.release();
      await pool.end();
      await pgPool.end();
    },
  };
}

/** It is no part of a transaction of a database. */
export async function bullmq({ redisUrl, folder }: Options): Promise<Engine> {
  const { Queue, Worker } = await load(folder, "bullmq");
  const connection = { url: redisUrl, maxRetriesPerRequest: null };
  const prefix = "hearth-bench";
  const queue = new Queue("bench", {
    connection,
    prefix,
    defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
  });
  return {
    addMany: (payloads) => inBatches(payloads, (batch) => queue.addBulk(batch.map((data) => ({ name: "noop", data })))),
    add: (payload) => queue.add("noop", payload),
    addWithRow: null,
    async work(concurrency, onJob) {
      const handler = async ({ data }: { data: Payload }) => onJob(data);
      const worker = new Worker("bench", handler, { connection, prefix, concurrency });
      return () => worker.close(true);
    },
    clear: () => queue.obliterate({ force: true }),
    close: () => queue.close(),
  };
}
