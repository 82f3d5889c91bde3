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
/** Before anything is counted. */
const WARM = 20;
const PER_STEP = 510 * (CLAIMS + WARM);

const server = postgres(args.database, { max: 1, onnotice: () => {} });

/** A database of the bench, and what a worker does in it. */
async function open(title: string) {
  const name = `hearth_bench_${title}_${process.pid}`;
  await server.unsafe(`create database ${name}`);
  // What is compared is the work of a claim. The flush to the disk at its end takes as long whatever the table holds, and varies more.
  await server.unsafe(`alter database ${name} set synchronous_commit = off`);
  const url = new URL(args.database);
  url.pathname = `/${name}`;
  const db = await openPostgres(url.href);
  await migrate(db);
  const sql = postgres(url.href, { max: 1, onnotice: () => {} });
  const store = createJobStore(db);
  const queue = createQueue({ db, clock: systemClock });
  const slot = { name: noop.name, queue: noop.queue, version: 1, perGroup: null };
  const pids = async (): Promise<number[]> =>
    (await sql.unsafe("select pid from pg_stat_activity where datname = current_database()")).map(({ pid }) => pid);

  return {
    /** Ids sort before those that are made now. */
    fill: (count: number, prefix: string, job: string, state: string) =>
      sql.unsafe(`insert into jobs (id, name, queue, state, rank, run_at, input, input_version, attempt, max_attempts, worker_id, actor, started_at, finished_at, purge_at)
        select 'job_0${prefix}' || lpad(n::text, 24, '0'), ${job}, 'default', '${state}', 0, now(), jsonb_build_object('i', n, 't', n), 1, 0, 5,
          null, '{"type": "system", "id": "queue"}', null, case when '${state}' = 'done' then now() end, case when '${state}' = 'done' then now() + n * interval '10 ms' end
        from generate_series(1, ${count}) n`),
    add: (count: number) =>
      queue.addMany(
        noop,
        Array.from({ length: count }, (_, i) => ({ i, t: 0 })),
      ),
    clear: () => sql.unsafe("truncate jobs"),
    async settleDown() {
      await sql.unsafe("vacuum analyze jobs");
      await sql.unsafe("checkpoint");
      pin(await pids(), String(LOAD_CORE));
    },
    cpu: async (): Promise<number> => (await pids()).reduce((sum, pid) => sum + cpuMs(pid), 0),
    /** How long the claim took, in milliseconds. */
    async claim(total: number): Promise<number> {
      const since = performance.now();
      const now = toInstant(Date.now());
      const jobs = await store.claim([{ ...slot, free: total }], { workerId: WORKER, now, total });
      const ms = performance.now() - since;
      if (jobs.length !== total) throw new Error(`${jobs.length} of ${total} were claimed`);
      // As a worker does beside it, so that no more are active than would be.
      const outcome = {
        workerId: WORKER,
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
      return ms;
    },
    async close() {
      await db.close();
      await sql.end();
      await server.unsafe(`drop database ${name} with (force)`);
    },
  };
}

const WORKER = "wrk_bench";
const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const sides = [await open("empty"), await open("full")] as const;
const [empty, full] = sides;

/** Claim by claim in turns, so that a slow moment of the machine hits both. */
async function compare(total: number): Promise<[number, number]> {
  const taken: [number[], number[]] = [[], []];
  for (let i = 0; i < CLAIMS + WARM; i++) {
    for (const [n, side] of sides.entries()) {
      const ms = await side.claim(total);
      if (i >= WARM) taken[n as 0 | 1].push(ms);
    }
  }
  return [median(taken[0]), median(taken[1])];
}

try {
  spawnSync("taskset", ["-acp", "0", String(process.pid)]);
  const steps: [string, () => Promise<unknown>][] = [
    ["as empty as the other", () => full.add(PER_STEP)],
    [
      `${args.done} that are done`,
      async () => [await full.fill(Number(args.done), "d", "'bench.old'", "done"), await full.add(PER_STEP)],
    ],
    [
      `and ${args.waiting} of ${args.names} other names that wait`,
      async () => [
        await full.fill(Number(args.waiting), "o", `'bench.other' || n % ${Number(args.names)}`, "waiting"),
        await full.add(PER_STEP),
      ],
    ],
    [`and ${args.waiting} of the same name`, () => full.fill(Number(args.waiting), "s", `'${noop.name}'`, "waiting")],
  ];
  const cell = ([a, b]: [number, number]) => `${b.toFixed(2)} (×${(b / a).toFixed(2)})`;
  console.log("| the table | claim of 10, ms | claim of 500, ms | claim and finish, CPU of the server, µs a job |");
  console.log("|---|--:|--:|--:|");
  for (const [title, prepare] of steps) {
    await empty.clear();
    await empty.add(PER_STEP);
    await prepare();
    for (const side of sides) await side.settleDown();
    const small = await compare(10);
    const used = async () => [await empty.cpu(), await full.cpu()] as const;
    const before = await used();
    const large = await compare(500);
    const after = await used();
    const cpu = ([0, 1] as const).map((n) => ((after[n] - before[n]) * 1000) / (500 * (CLAIMS + WARM)));
    console.log(`| ${title} | ${cell(small)} | ${cell(large)} | ${cell(cpu as [number, number])} |`);
  }
} finally {
  for (const side of sides) await side.close();
  await server.end();
}
