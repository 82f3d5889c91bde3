/**
 * One engine, measured in a process of its own: `<engine> <what> <options as JSON>`. Prints one line of JSON. What it measures and how is
 * told in README.md; it is started by queue.ts.
 */
import { spawn } from "node:child_process";
import process from "node:process";
import postgres from "postgres";
import type { Engine, Payload } from "./queue-engine.ts";
import { hearth, openFile, openPglite, openPostgres } from "./queue-hearth.ts";
import { bullmq, graphileWorker, pgBoss } from "./queue-rivals.ts";
import { cpuMs, LOAD_CORE, pin } from "./servers.ts";

export interface PeerOptions {
  url: string;
  redisUrl: string;
  folder: string;
  path: string;
  jobs: number;
  concurrency: number;
  singles: number;
  latencies: number;
}
export interface Measured {
  /** Jobs a second, or milliseconds; CPU of this process and of its backends in microseconds a job. */
  [figure: string]: number;
}

const [, , name = "", what = "", json = "{}"] = process.argv;
const options = JSON.parse(json) as PeerOptions;
const { jobs, concurrency, singles, latencies } = options;
const isProducer = what === "produce";

const engines: Record<string, () => Promise<Engine>> = {
  hearth: async () => hearth(await openPostgres(options.url), { busUrl: options.url, isMigrated: isProducer }),
  "hearth, not kept": async () =>
    hearth(await openPostgres(options.url), { busUrl: options.url, isMigrated: isProducer, keeps: false }),
  "hearth on SQLite": async () => hearth(await openFile(`${options.path}.db`), { busUrl: null, isMigrated: false }),
  "hearth on PGlite": async () => hearth(await openPglite(options.path), { busUrl: null, isMigrated: false }),
  "pg-boss": () => pgBoss(options),
  "graphile-worker": () => graphileWorker(options, false),
  "graphile-worker, tuned": () => graphileWorker(options, true),
  BullMQ: () => bullmq(options),
};
const usesServer = !/SQLite|PGlite|BullMQ/.test(name);
const sql = usesServer ? postgres(options.url, { max: 1, onnotice: () => {} }) : null;
const engine = await (engines[name] as () => Promise<Engine>)();

const now = () => performance.timeOrigin + performance.now();
const payloads = (count: number): Payload[] => Array.from({ length: count }, (_, i) => ({ i, t: now() }));
const backends = async (): Promise<number[]> => {
  const rows = await sql?.unsafe(
    "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );
  return (rows ?? []).map(({ pid }) => pid);
};
const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);

/** Between two looks: wall time, and CPU of this process and of the database's connections. */
async function meter() {
  const pids = await backends();
  pin(pids, String(LOAD_CORE));
  const before = sum(pids.map(cpuMs));
  const cpu = process.cpuUsage();
  const began = performance.now();
  return async (count: number, title: string): Promise<Measured> => {
    const ms = performance.now() - began;
    const { user, system } = process.cpuUsage(cpu);
    const after = sum((await backends()).map(cpuMs));
    return {
      [title]: (count / ms) * 1000,
      [`${title}: own CPU`]: (user + system) / count,
      [`${title}: backends' CPU`]: ((after - before) * 1000) / count,
    };
  };
}

/** From the first job after a tenth of them, when connections are there and code is warm, to the last. */
async function processing(): Promise<Measured> {
  const warm = Math.floor(jobs / 10);
  await engine.addMany(payloads(jobs + warm));
  await sql?.unsafe("vacuum analyze");
  let seen = 0;
  let meters: ReturnType<typeof meter> | undefined;
  let finish: (figures: Promise<Measured>) => void = () => {};
  const measured = new Promise<Measured>((resolve) => {
    finish = resolve;
  });
  const stop = await engine.work(
    concurrency,
    () => {
      seen++;
      if (seen === warm) meters = meter();
      if (seen === jobs + warm)
        finish((meters as ReturnType<typeof meter>).then((end) => end(jobs, `process at ${concurrency}`)));
    },
    false,
  );
  const figures = await measured;
  await stop();
  return figures;
}

async function bulk(): Promise<Measured> {
  await engine.addMany(payloads(Math.floor(jobs / 10)));
  const many = payloads(jobs);
  const end = await meter();
  await engine.addMany(many);
  return end(jobs, "bulk");
}

/** From 8 callers. */
async function single(): Promise<Measured> {
  const add = engine.addWithRow;
  if (!add) return {};
  const run = async (count: number) => {
    let i = 0;
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        while (i < count) await add({ i: i++, t: now() });
      }),
    );
  };
  await run(Math.floor(singles / 4));
  const end = await meter();
  await run(singles);
  return end(singles, "single");
}

const PAUSE_MS = 5;
const produce = async () => {
  for (let i = 0; i < latencies; i++) {
    await engine.add({ i, t: now() });
    await new Promise((done) => setTimeout(done, PAUSE_MS * (1 + Math.random())));
  }
};

/** From the call that enqueues in another process to the call of the handler here. */
async function pickUp(): Promise<Measured> {
  const warm = Math.floor(latencies / 4);
  const taken: number[] = [];
  const all = Promise.withResolvers<void>();
  const stop = await engine.work(
    concurrency,
    ({ t }) => {
      taken.push(now() - t);
      if (taken.length === latencies) all.resolve();
    },
    true,
  );
  pin(await backends(), String(LOAD_CORE));
  const [command = ""] = process.argv;
  const producer = spawn(command, [import.meta.filename, name, "produce", json], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  setTimeout(() => void backends().then((pids) => pin(pids, String(LOAD_CORE))), 1_000);
  producer.on("exit", (code) => code !== 0 && all.reject(new Error(`the producer of ${name} ended with ${code}`)));
  await all.promise;
  producer.kill();
  await stop();
  const sorted = taken.slice(warm).sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] as number;
  return { "pick-up p50": at(0.5), "pick-up p99": at(0.99) };
}

if (isProducer) {
  // It ends with whoever started it, whose output it would else hold open.
  process.stdin.on("end", () => process.exit(1)).resume();
  await new Promise((done) => setTimeout(done, 500));
  await produce();
} else {
  await engine.clear();
  const phases: Record<string, () => Promise<Measured>> = { bulk, single, process: processing, latency: pickUp };
  const figures: Measured = {};
  for (const phase of what.split(",")) {
    Object.assign(figures, await (phases[phase] as () => Promise<Measured>)());
    await engine.clear();
  }
  console.log(JSON.stringify(figures));
}
process.exit(0);
