/** `jobs watch`: what happens to the jobs of all processes, as they tell it on the bus, until it is ended. */
import process from "node:process";
import type { Env } from "../src/env.ts";
import { NameParams } from "../src/modules/jobs/schema.ts";
import { busCapabilities } from "../src/ports/bus/port.ts";
import { createConsoleLog } from "../src/ports/log/console.ts";
import { type JobNews, watchJobs } from "../src/ports/queue/news.ts";
import { openBus } from "../src/runtimes/open-bus.ts";
import { nameOf } from "../src/runtimes/open-db.ts";
import { type JobInput, parsed } from "./jobs-input.ts";
import { fail } from "./open.ts";
import { count } from "./print.ts";

/** Of the bus to connect. */
const PATIENCE_MS = 5000;
/** Its own timers keep no process alive, and while it is not connected it has nothing else. */
const ALIVE_MS = 60_000;

export async function watch(env: Env, { values }: JobInput): Promise<void> {
  const type = values.name === undefined ? null : parsed(NameParams, { name: values.name }).name;
  const driver = env.bus;
  if (!busCapabilities[driver].shared)
    fail(
      `The processes on ${nameOf(env.database)} have no bus between them: set REDIS_URL, for them and for this command.`,
    );
  const bus = await openBus(env, createConsoleLog({ level: "error", print: console.error }));
  const alive = setInterval(() => {}, ALIVE_MS);
  const late = setTimeout(() => fail(`The bus on ${driver} does not answer.`), PATIENCE_MS);
  const ended = Promise.withResolvers<void>();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ended.resolve());
  // Whoever read it has gone.
  process.stdout.once("error", () => ended.resolve());

  let connected = false;
  watchJobs(bus, {
    news(news) {
      const lines = news.filter((item) => type === null || item.name === null || item.name === type);
      const at = new Date().toISOString();
      for (const item of lines)
        process.stdout.write(`${values.json ? JSON.stringify({ at, ...item }) : line(at, item)}\n`);
    },
    missed() {
      clearTimeout(late);
      const what = type === null ? "all jobs" : `the jobs of ${type}`;
      console.error(connected ? "Some may have been missed." : `Watching ${what} by ${driver}. Ctrl+C ends it.`);
      connected = true;
    },
  });
  await ended.promise;
  clearInterval(alive);
  clearTimeout(late);
  await bus.close();
}

const line = (at: string, item: JobNews): string =>
  [
    at.slice(11, 23),
    item.kind.padEnd(9),
    item.name ?? "(any type)",
    "id" in item ? `${item.id}, attempt ${item.attempt}` : `and ${count(item.count, "more event")}`,
  ].join("  ");
