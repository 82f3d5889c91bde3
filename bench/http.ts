/**
 * The built server against the same answers written by hand: `bun run build && bun bench/http.ts`. How it measures, and what the figures
 * mean, is told in README.md.
 */
import { existsSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { check } from "./check.ts";
import { createFixture, type Fixture } from "./fixture.ts";
import { backendsOf, type Endpoint, load, type Slot } from "./load.ts";
import { coldTable, loadTables } from "./report.ts";
import { LOAD_CORE, machineMs, pin, type Running, rssMiB, start, type Target } from "./servers.ts";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "4" },
    secs: { type: "string", default: "3" },
    /** Load before each slot that is not measured: a server that has waited for its turn has lost compiled code. */
    lead: { type: "string", default: "1" },
    /** Load on each endpoint before anything is measured. JavaScriptCore needs about 50,000 requests to settle. */
    warm: { type: "string", default: "8" },
    /** Starts of each server, one after the other, for the cold start. */
    cold: { type: "string", default: "5" },
    /** Names of targets, with commas. */
    targets: { type: "string" },
    endpoints: { type: "string" },
    build: { type: "string", default: "dist" },
    database: { type: "string", default: "postgres://postgres@127.0.0.1:5432/postgres" },
    /** A slot is repeated while others used more of a core than this, in per cent. */
    foreign: { type: "string", default: "20" },
  },
});

const here = (path: string) => new URL(path, import.meta.url).pathname;
const node = [here("../node_modules/node24/bin/node")].find(existsSync) ?? "node";
const built = `${options.build}/server.js`;
const byHand = join(tmpdir(), `hearth-bench-${process.pid}`);
const READS = ["livez", "me", "list"];

const everything: Target[] = [
  { name: "floor", command: [process.execPath, join(byHand, "floor.js")], base: null },
  { name: "hearth on Bun", command: [process.execPath, built], base: "floor" },
  { name: "hono on Node", command: [node, join(byHand, "hono-node.js")], base: null, only: READS },
  { name: "hearth on Node", command: [node, built], base: "hono on Node", only: READS },
];

const endpointsOf = ({ userTokens, adminTokens }: Fixture, cursors: string[]): Endpoint[] => [
  { key: "livez", title: "GET /livez", requests: [{ method: "GET", path: "/livez" }] },
  { key: "me", title: "GET /v1/me", requests: userTokens.map((token) => ({ method: "GET", path: "/v1/me", token })) },
  {
    key: "list",
    title: "GET /v1/users?limit=20",
    requests: adminTokens.map((token, i) => {
      const cursor = i % 2 ? `&cursor=${encodeURIComponent(cursors[i % cursors.length] as string)}` : "";
      return { method: "GET", path: `/v1/users?limit=20${cursor}`, token };
    }),
  },
  {
    key: "create",
    title: "POST /v1/users",
    requests: adminTokens.map((token) => ({
      method: "POST",
      path: "/v1/users",
      token,
      body: '{"email":"made.{n}@example.com","name":"Ada Lovelace","role":"user"}',
    })),
  },
];

/** Bundled as the server is, so that their cold starts compare. */
const bundle = () =>
  Bun.build({ entrypoints: [here("floor.ts"), here("hono-node.ts")], outdir: byHand, target: "node", minify: true });

const MAX_TRIES = 4;
const LOOK_MS = 400;
const MAX_LOOKS = 10;

/** Waits, for a few seconds at most, until the machine has little else to do. */
async function quiet(): Promise<void> {
  for (let i = 0; i < MAX_LOOKS; i++) {
    const before = machineMs();
    await Bun.sleep(LOOK_MS);
    if (machineMs() - before < (LOOK_MS * Number(options.foreign)) / 100) return;
  }
}

/** A slot that others disturbed is repeated; of the tries, the calmest counts. */
async function calm(running: Running, endpoint: Endpoint, fixture: Fixture): Promise<Slot> {
  let best: Slot | undefined;
  for (let i = 0; i < MAX_TRIES; i++) {
    if (endpoint.key === "create") await fixture.reset();
    await quiet();
    if (Number(options.lead) > 0) await load(running, endpoint, Number(options.lead), fixture);
    const slot = await load(running, endpoint, Number(options.secs), fixture);
    if (!best || slot.foreign < best.foreign) best = slot;
    if (best.foreign <= Number(options.foreign)) break;
  }
  return best as Slot;
}

async function main(): Promise<void> {
  if (!Bun.which("wrk") || !Bun.which("taskset")) {
    console.error("The bench needs wrk and taskset (apt-get install wrk util-linux).");
    process.exit(1);
  }
  if (!existsSync(built)) {
    console.error(`There is no build at ${options.build}: bun run build`);
    process.exit(1);
  }
  const names = options.targets?.split(",");
  const targets = everything.filter(({ name }) => !names || names.includes(name));
  await bundle();
  const fixture = await createFixture(options.database);
  const running: Running[] = [];
  let shared: number[] = [];
  try {
    const cold = new Map<string, number[]>(targets.map(({ name }) => [name, []]));
    for (let i = 0; i < Number(options.cold); i++) {
      for (const target of targets) {
        const server = await start(target, fixture);
        cold.get(target.name)?.push(server.startedMs);
        await server.stop();
      }
    }
    if (Number(options.cold) > 0) console.log(coldTable(targets, cold));
    if (Number(options.rounds) === 0) return;

    const endpoints = new Map<string, Endpoint[]>();
    for (const target of targets) {
      const server = await start(target, fixture);
      running.push(server);
      const all = endpointsOf(fixture, await check(server, fixture));
      const wanted = (key: string) =>
        (target.only?.includes(key) ?? true) && (options.endpoints?.split(",").includes(key) ?? true);
      endpoints.set(
        target.name,
        all.filter(({ key }) => wanted(key)),
      );
    }
    for (const server of running)
      for (const endpoint of endpoints.get(server.target.name) ?? [])
        await load(server, endpoint, Number(options.warm), fixture);
    // By now every connection is there and can be pinned.
    shared = await backendsOf(fixture);
    if (!pin(shared, String(LOAD_CORE))) console.error("PostgreSQL is not on this machine, or may not be pinned.");

    const slots = new Map<string, Slot[]>();
    for (const { key } of endpointsOf(fixture, ["-"])) {
      for (let round = 0; round < Number(options.rounds); round++) {
        for (const server of round % 2 ? running.toReversed() : running) {
          const endpoint = endpoints.get(server.target.name)?.find((e) => e.key === key);
          if (!endpoint) continue;
          const slot = await calm(server, endpoint, fixture);
          const kept = slots.get(`${key} ${server.target.name}`) ?? [];
          slots.set(`${key} ${server.target.name}`, [...kept, slot]);
          console.error(
            `${round + 1} ${key.padEnd(7)}${server.target.name.padEnd(15)}${slot.perSecond.toFixed(0).padStart(7)}/s ${slot.cpuUs.toFixed(0).padStart(5)} µs  foreign ${slot.foreign.toFixed(0)} %`,
          );
        }
      }
    }
    const rss = new Map(running.map((server) => [server.target.name, [rssMiB(server.pid)]]));
    await Bun.sleep(6000);
    for (const server of running) rss.get(server.target.name)?.push(rssMiB(server.pid));
    console.log(loadTables(targets, endpointsOf(fixture, ["-"]), slots, rss));
  } finally {
    if (shared.length > 0) pin(shared, `0-${LOAD_CORE}`);
    await Promise.all(running.map((server) => server.stop()));
    await fixture.drop();
    rmSync(byHand, { recursive: true });
  }
}

await main();
