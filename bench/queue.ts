/**
 * The queue beside what one would pick instead, on the same PostgreSQL and Redis in the same run: `bun bench/queue.ts`. How it measures is
 * told in README.md. The others are measured if they are installed, which they are not by default:
 *
 *     bun add --no-save pg-boss@12.38.0 graphile-worker@0.18.0 pg@8.23.1
 *
 * or anywhere else, named with `--rivals <folder that has node_modules>`.
 */
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import postgres from "postgres";
import type { Measured, PeerOptions } from "./queue-peer.ts";

const { values: args } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    jobs: { type: "string", default: "40000" },
    singles: { type: "string", default: "4000" },
    latencies: { type: "string", default: "400" },
    concurrency: { type: "string", default: "10,50" },
    /** Names of engines, with commas; `others` are those on SQLite and PGlite. */
    engines: {
      type: "string",
      default:
        "hearth;hearth, not kept;pg-boss;graphile-worker, tuned;graphile-worker;BullMQ;hearth on SQLite;hearth on PGlite",
    },
    what: { type: "string", default: "bulk,single,process,latency" },
    rivals: { type: "string", default: "." },
    /** What runs the processes that are measured: this Bun, or another runtime. */
    runtime: { type: "string", default: process.execPath },
    database: { type: "string", default: "postgres://postgres@127.0.0.1:5432/postgres" },
    redis: { type: "string", default: "redis://127.0.0.1:6379" },
  },
});

const CORE = 0;
const PATIENCE_MS = 120_000;
const here = (file: string) => new URL(file, import.meta.url).pathname;
const levels = args.concurrency.split(",").map(Number);
const names = args.engines.split(";");
const server = postgres(args.database, { max: 1, onnotice: () => {} });

async function measure(name: string, round: number): Promise<Measured | null> {
  const database = `hearth_bench_${process.pid}_${round}`;
  const path = join(tmpdir(), database);
  const url = new URL(args.database);
  url.pathname = `/${database}`;
  const shared = { url: url.href, redisUrl: args.redis, folder: args.rivals, path };
  const counts = { jobs: Number(args.jobs), singles: Number(args.singles), latencies: Number(args.latencies) };
  const figures: Measured = {};
  await server.unsafe(`create database ${database}`);
  try {
    for (const [i, concurrency] of levels.entries()) {
      const wanted = args.what.split(",").filter((phase) => i === levels.length - 1 || phase === "process");
      if (/ on /.test(name) && wanted.includes("latency")) wanted.splice(wanted.indexOf("latency"), 1);
      const options: PeerOptions = { ...shared, ...counts, concurrency };
      const found = wanted.length === 0 ? {} : await run(name, wanted, options);
      if (!found) return null;
      Object.assign(figures, found);
    }
    return figures;
  } finally {
    await server.unsafe(`drop database ${database} with (force)`);
    for (const end of ["", ".lock", ".db", ".db-wal", ".db-shm"]) rmSync(path + end, { recursive: true, force: true });
  }
}

async function run(name: string, phases: string[], options: PeerOptions): Promise<Measured | null> {
  const command = [args.runtime, here("queue-peer.ts"), name, phases.join(","), JSON.stringify(options)];
  const child = Bun.spawn(["taskset", "-c", String(CORE), ...command], { stdout: "pipe", stderr: "pipe" });
  // One that does not end is reported as one that fails.
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  const [text, faults] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  clearTimeout(timer);
  if ((await child.exited) === 0) return JSON.parse(text);
  console.error(`${name} is left out: ${/Cannot find (module|package).*|error: .*/.exec(faults)?.[0] ?? faults}`);
  return null;
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const shown = (value: number) => (value >= 100 ? Math.round(value).toLocaleString("en") : value.toFixed(2));

const taken = new Map<string, Measured[]>(names.map((name) => [name, []]));
for (let round = 0; round < Number(args.rounds); round++) {
  for (const name of round % 2 ? names.toReversed() : names) {
    const figures = await measure(name, round);
    if (figures) taken.get(name)?.push(figures);
  }
}
const lines = [...new Set([...taken.values()].flatMap((rounds) => rounds.flatMap(Object.keys)))];
console.log(`| | ${names.join(" | ")} |\n|---|${names.map(() => "--:|").join("")}`);
for (const line of lines) {
  const cells = names.map((name) => {
    const values = (taken.get(name) ?? []).flatMap((figures) => figures[line] ?? []);
    // Round by round, so that a busy moment of the machine hits both.
    const ratios = (taken.get(name) ?? []).flatMap((figures, i) => {
      const [own, theirs] = [taken.get("hearth")?.[i]?.[line], figures[line]];
      return name === "hearth" || own === undefined || !theirs ? [] : [own / theirs];
    });
    // Without a server there is no backend whose CPU could be counted.
    if (values.length === 0 || values.every((value) => value === 0)) return "–";
    return shown(median(values)) + (ratios.length > 0 ? ` (×${median(ratios).toFixed(2)})` : "");
  });
  console.log(`| ${line} | ${cells.join(" | ")} |`);
}
await server.end();
