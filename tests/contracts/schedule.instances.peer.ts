/**
 * One of several processes that look after the same schedules on the PostgreSQL at argv[2], by a clock that runs fast and is the
 * same in all of them, for argv[3] milliseconds. Says that it is ready, is told by standard input when it all begins, and prints how many it
 * has fired.
 */
import process from "node:process";
import { text } from "node:stream/consumers";
import { createPgDb } from "../../src/ports/db/pg.ts";
import { createPostgres } from "../../src/ports/db/postgres.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { createScheduler } from "../../src/ports/schedule/scheduler.ts";
import { poolOf } from "../helpers/postgres.ts";
import { everyMinute, FAST, STEADY } from "./schedule.instances.ts";

const [, , url = "", ms = ""] = process.argv;
const db = createPgDb({ engine: "postgres", primary: createPostgres(poolOf(url)) });
await db.ping();
console.log("ready");
const began = Number(await text(process.stdin));
const clock = { now: () => STEADY + (Date.now() - began) * FAST };
let fired = 0;
const log = createConsoleLog({
  level: "debug",
  clock,
  print: (line) => {
    if (line.includes("a schedule was fired")) fired++;
  },
});
const scheduler = createScheduler({ db, clock, log, schedules: everyMinute });
while (Date.now() < began) await new Promise((resolve) => setTimeout(resolve, 1));
// Nobody rests: all of them are there when it becomes due.
while (Date.now() < began + Number(ms)) await scheduler.tick();
console.log(JSON.stringify({ fired }));
await db.close();
process.exit(0);
