/** A process that runs jobs, to be killed: `<url of the queue's database> <url of the database of evidence> <concurrency>`. */
import process from "node:process";
import postgres from "postgres";
import { systemClock } from "../../src/core/clock.ts";
import { createPgDb } from "../../src/ports/db/pg.ts";
import { createPostgres } from "../../src/ports/db/postgres.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { databaseDispatch } from "../../src/ports/queue/database.ts";
import { handle } from "../../src/ports/queue/define.ts";
import { createJobEvents } from "../../src/ports/queue/events.ts";
import { createJobStore } from "../../src/ports/queue/store.ts";
import { createWorker } from "../../src/ports/queue/worker.ts";
import { poolOf } from "../helpers/postgres.ts";
import { work } from "./queue.kill.ts";

const [, , url = "", evidence = url, concurrency = "10"] = process.argv;
const db = createPgDb({ engine: "postgres", primary: createPostgres(poolOf(url)) });
const sql = postgres(evidence, { max: 4, onnotice: () => {} });
const log = createConsoleLog({ level: "warn", print: (line) => console.error(line) });

const handler = handle(work, async ({ n, ms }, { attempt }) => {
  await sql`insert into ran (n, attempt, pid, backend) values (${n}, ${attempt}, ${process.pid}, pg_backend_pid())`;
  await new Promise((resolve) => setTimeout(resolve, ms));
});
const worker = createWorker({
  store: createJobStore(db),
  handlers: [handler],
  dispatch: databaseDispatch,
  events: createJobEvents({ log }),
  clock: systemClock,
  log,
  concurrency: Number(concurrency),
});
await worker.start();
console.log("started");
process.on("SIGTERM", async () => {
  await worker.stop(10_000);
  await db.close();
  process.exit(0);
});
