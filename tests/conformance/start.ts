/** Starts the server of a cell, with a database of its own, and opens a world on it. */
import type { Engine } from "../../src/ports/db/port.ts";
import { serverAnswers } from "../helpers/postgres.ts";
import { commandOf, type LogLine, type ProcessRuntime, startServer } from "../helpers/server.ts";
import { openStore } from "../helpers/store.ts";
import { startWorker } from "../helpers/workerd.ts";
import type { Cell } from "./cells.ts";
import { environment, settings } from "./settings.ts";
import { type Log, type Need, openWorld, type World } from "./world.ts";

export interface Running {
  world: World;
  stop(): Promise<void>;
}

const hasPostgres = await serverAnswers();

/** Why a cell cannot be run on this machine; null when it can. In CI all have to be. */
export function missing({ runtime, engine }: Cell): string | null {
  if (engine === "postgres" && !hasPostgres) return "no PostgreSQL server answers";
  const found = commandOf(runtime === "workerd" ? "bun" : runtime);
  return "missing" in found ? found.missing : null;
}

/** What cases may need and this cell does not have, and why. */
export function lacks({ runtime, engine }: Cell): Partial<Record<Need, string>> {
  return {
    ...(engine === "pglite" && { sql: "PGlite is open in one process alone" }),
    ...(runtime === "workerd" && { "own server": "the platform's front answers before the Worker" }),
  };
}

export async function startCell(cell: Cell): Promise<Running> {
  return cell.runtime === "workerd" ? onWorkerd(cell) : onProcess(cell, cell.runtime);
}

async function onProcess(cell: Cell, runtime: ProcessRuntime): Promise<Running> {
  const store = await openStore(cell.engine as Exclude<Engine, "d1">);
  const server = await startServer({ runtime, database: store.url, env: environment });
  const log: Log = { output: async () => server.output(), lines: async () => server.lines(), line: server.line };
  const world = await openWorld({ cell, url: server.url, query: store.query, log });
  return {
    world,
    async stop() {
      await server.stop();
      await store.remove();
    },
  };
}

async function onWorkerd(cell: Cell): Promise<Running> {
  const store = cell.engine === "d1" ? null : await openStore("postgres");
  const { SHUTDOWN_LEAD_MS: _, ADMIN_EMAIL, ADMIN_PASSWORD, ...vars } = environment;
  const worker = await startWorker({
    database: store ? { hyperdrive: store.url } : "d1",
    vars,
    admin: settings.admin,
  });
  const texts = async () => (await worker.logs()).map(({ message }) => message);
  const lines = async () =>
    (await texts()).filter((text) => text.startsWith("{")).map((text) => JSON.parse(text) as LogLine);
  const log: Log = {
    output: async () => (await texts()).join("\n"),
    lines,
    async line(fits) {
      for (const deadline = Date.now() + 5000; Date.now() < deadline; ) {
        const found = (await lines()).find(fits);
        if (found) return found;
      }
      throw new Error("the Worker wrote no such line within 5 s");
    },
  };
  const world = await openWorld({ cell, url: worker.url, query: store?.query ?? worker.query, log });
  return {
    world,
    async stop() {
      await worker.stop();
      await store?.remove();
    },
  };
}
