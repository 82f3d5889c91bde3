/**
 * Whether claiming stays as fast in a full table: `bun bench/queue-full.ts [--done 5000000] [--waiting 1000000]`. Beside an empty table it
 * is measured with jobs that have ended, with jobs of other names that wait, and with as many of its own name. Takes some minutes and 5 GB.
 */
import { spawnSync } from "node:child_process";
import process from "node:process";
import { parseArgs } from "node:util";
import postgres from "postgres";
import { systemClock, toInstant } from "../src/core/clock.ts";
import { migrate } from "../src/ports/db/migrate.ts";
import { createQueue } from "../src/ports/queue/queue.ts";
import { createJobStore } from "../src/ports/queue/store.ts";
import { noop, openPostgres } from "./queue-hearth.ts";
import { cpuMs, LOAD_CORE, pin } from "./servers.ts";

const { values: args } = parseArgs({
  options: {
    done: { type: "string", default: "5000000" },
    waiting: { type: "string", default: "1000000" },
    /** Names that the other waiting jobs have. */
    names: { type: "string", default: "100" },
    claims: { type: "string", default: "200" },
    database: { type: "string", default: "postgres://postgres@127.0.0.1:5432/postgres" },
  },
});
const CLAIMS = Number(args.claims);

const server = postgres(args.database, { max: 1, onnotice: () => {} });
const name = `hearth_bench_full_${process.pid}`;
await server.unsafe(`create database ${name}`);
// What is compared is the work of a claim. The flush to the disk at its end takes as long whatever the table holds, and varies more.
await server.unsafe(`alter database ${name} set synchronous_commit = off`);
const url = new URL(args.database);
url.pathname = `/${name}`;
const db = await openPostgres(url.href);
const sql = postgres(url.href, { max: 1, onnotice: () => {} });
const store = createJobStore(db);
const queue = createQueue({ db, clock: systemClock });

/** Ids sort before those that are made now. */
const fill = (count: number, prefix: string, job: string, state: string) =>
  sql.unsafe(`insert into jobs (id, name, queue, state, rank, run_at, input, input_version, attempt, max_attempts, worker_id, actor, started_at, finished_at, purge_at)
    select 'job_0${prefix}' || lpad(n::text, 24, '0'), ${job}, 'default', '${state}', 0, now(), jsonb_build_object('i', n, 't', n), 1, 0, 5,
      null, '{"type": "system", "id": "queue"}', null, case when '${state}' = 'done' then now() end, case when '${state}' = 'done' then now() + n * interval '10 ms' end
    from generate_series(1, ${count}) n`);

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

interface Taken {
  /** Milliseconds, median. */
  large: number;
  small: number;
  /** Of the server, in microseconds a job. */
  cpu: number;
}

async function claims(): Promise<Taken> {
  await sql.unsafe("vacuum analyze jobs");
  await sql.unsafe("checkpoint");
  const pids = async () =>
    (await sql.unsafe("select pid from pg_stat_activity where datname = current_database()")).map(({ pid }) => pid);
  pin(await pids(), String(LOAD_CORE));
  const used = async () => (await pids()).reduce((sum, pid) => sum + cpuMs(pid), 0);
  const slot = { name: noop.name, queue: noop.queue, version: 1, perGroup: null };
  const measure = async (total: number) => {
    const taken: number[] = [];
    for (let i = 0; i < CLAIMS + 20; i++) {
      const since = performance.now();
      const now = toInstant(Date.now());
      const jobs = await store.claim([{ ...slot, free: total }], { workerId: "wrk_bench", now, total });
      if (jobs.length !== total) throw new Error(`${jobs.length} of ${total} were claimed`);
      if (i >= 20) taken.push(performance.now() - since);
      // As a worker does beside it, so that no more are active than would be.
      const outcome = {
        workerId: "wrk_bench",
        state: "done",
        result: null,
        error: null,
        runAt: null,
        purgeAt: now,
      } as const;
      await store.settle(
        jobs.map(({ id, attempt, place }) => ({ id, attempt, place, ...outcome })),
        now,
      );
    }
    return median(taken);
  };
  const small = await measure(10);
  const before = await used();
  const large = await measure(500);
  return { large, small, cpu: (((await used()) - before) * 1000) / (500 * (CLAIMS + 20)) };
}

const add = () =>
  queue.addMany(
    noop,
    Array.from({ length: 510 * (CLAIMS + 20) }, (_, i) => ({ i, t: 0 })),
  );

try {
  spawnSync("taskset", ["-acp", "0", String(process.pid)]);
  await migrate(db);
  await add();
  await claims();
  const steps: [string, () => Promise<unknown>][] = [
    ["empty", add],
    [
      `${args.done} that are done`,
      async () => [await fill(Number(args.done), "d", "'bench.old'", "done"), await add()],
    ],
    [
      `and ${args.waiting} of ${args.names} other names that wait`,
      async () => [
        await fill(Number(args.waiting), "o", `'bench.other' || n % ${Number(args.names)}`, "waiting"),
        await add(),
      ],
    ],
    [`and ${args.waiting} of the same name`, () => fill(Number(args.waiting), "s", `'${noop.name}'`, "waiting")],
  ];
  let first: Taken | undefined;
  console.log(
    "| the table | claim of 10, ms | claim of 500, ms | × empty | claim and finish, CPU of the server, µs a job |",
  );
  console.log("|---|--:|--:|--:|--:|");
  for (const [title, prepare] of steps) {
    if (title === "empty") await sql.unsafe("truncate jobs");
    await prepare();
    const taken = await claims();
    first ??= taken;
    const ratios = `${(taken.small / first.small).toFixed(2)}, ${(taken.large / first.large).toFixed(2)}`;
    console.log(
      `| ${title} | ${taken.small.toFixed(2)} | ${taken.large.toFixed(2)} | ${ratios} | ${taken.cpu.toFixed(1)} |`,
    );
  }
} finally {
  await db.close();
  await sql.end();
  await server.unsafe(`drop database ${name} with (force)`);
  await server.end();
}
