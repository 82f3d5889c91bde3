/** The project's own queue as an engine of the bench: the ports that a process opens, without the service around them. */
import { randomUUID } from "node:crypto";
import process from "node:process";
import { sql } from "drizzle-orm/sql";
import { z } from "zod";
import { pgKit, sqliteKit } from "../db/kit.ts";
import { systemClock, toInstant } from "../src/core/clock.ts";
import { createMemoryBus } from "../src/ports/bus/memory.ts";
import { createPostgresBus } from "../src/ports/bus/postgres.ts";
import { migrate } from "../src/ports/db/migrate.ts";
import { createPgDb } from "../src/ports/db/pg.ts";
import type { Builders, Db, Dialect } from "../src/ports/db/port.ts";
import { createSqliteDb } from "../src/ports/db/sqlite.ts";
import { createFileClient } from "../src/ports/db/sqlite-file.ts";
import { createConsoleLog } from "../src/ports/log/console.ts";
import { databaseDispatch } from "../src/ports/queue/database.ts";
import { defineJob, handle } from "../src/ports/queue/define.ts";
import { enqueue } from "../src/ports/queue/enqueue.ts";
import { createJobEvents } from "../src/ports/queue/events.ts";
import { createJobMinutes } from "../src/ports/queue/minutes.ts";
import { createQueue } from "../src/ports/queue/queue.ts";
import { createJobStore } from "../src/ports/queue/store.ts";
import { connect } from "../src/ports/queue/wake.ts";
import { createWorker, type Worker } from "../src/ports/queue/worker.ts";
import { type Engine, NOTE, type Payload, POOL, ROW_TABLE } from "./queue-engine.ts";

const spec = { name: "bench.noop", input: z.object({ i: z.number(), t: z.number() }) };
export const noop = defineJob(spec);
/** One that is deleted when it is done, as others do it. */
const brief = defineJob({ ...spec, keepMs: 0 });

/** The driver that the service has on this runtime. */
export async function openPostgres(url: string): Promise<Db> {
  const options = { url, poolSize: POOL, statementTimeoutMs: 60_000, idleTimeoutS: 600 };
  const primary = process.versions.bun
    ? (await import("../src/ports/db/bun-sql.ts")).createBunSql(options)
    : (await import("../src/ports/db/postgres.ts")).createPostgres(options);
  return createPgDb({ engine: "postgres", primary });
}

export async function openFile(path: string): Promise<Db> {
  const open = process.versions.bun
    ? (await import("../src/ports/db/bun-sqlite.ts")).openBunSqlite
    : (await import("../src/ports/db/node-sqlite.ts")).openNodeSqlite;
  return createSqliteDb("sqlite", createFileClient(open(path)));
}

export async function openPglite(dir: string): Promise<Db> {
  const { createPglite } = await import("../src/ports/db/pglite.ts");
  const { openBunSqlite } = await import("../src/ports/db/bun-sqlite.ts");
  return createPgDb({ engine: "pglite", primary: await createPglite({ dir, openLock: openBunSqlite }) });
}

const rowsOf = { pg: pgKit, sqlite: sqliteKit };
const insertRow = (dialect: Dialect) => {
  const kit = rowsOf[dialect];
  const table = kit.table("bench_rows", { id: kit.text().primaryKey(), note: kit.text().notNull() });
  return (q: Builders) => q.insert(table).values({ id: sql.placeholder("id"), note: sql.placeholder("note") });
};

export async function hearth(
  db: Db,
  { busUrl, isMigrated, keeps = true }: { busUrl: string | null; isMigrated: boolean; keeps?: boolean },
): Promise<Engine> {
  const type = keeps ? noop : brief;
  if (!isMigrated) {
    await migrate(db);
    await db.exclusively((run) => run(ROW_TABLE));
  }
  const row = insertRow(db.dialect);
  const log = createConsoleLog({ level: "warn", print: (line) => process.stderr.write(`${line}\n`) });
  const bus = busUrl ? createPostgresBus({ url: busUrl, log }) : createMemoryBus({ log });
  await bus.ready();
  const queue = createQueue({ db, clock: systemClock });
  let worker: Worker | null = null;
  let wakes = connect({ db, bus, worker, relay: null });
  const by = () => ({
    actor: { type: "system", id: "bench" } as const,
    requestId: null,
    traceId: null,
    now: toInstant(Date.now()),
  });

  return {
    addMany: (payloads) => queue.addMany(type, payloads),
    add: (payload) => queue.add(type, payload),
    addWithRow: (payload) =>
      db.atomic((tx) => [tx.prepare(row)({ id: randomUUID(), note: NOTE }), enqueue(tx, type, payload, { by: by() })]),
    async work(concurrency, onJob) {
      const events = createJobEvents({ log });
      // As the service counts them.
      const minutes = createJobMinutes({ db, events, log });
      const handlers = [handle(type, (payload: Payload) => onJob(payload))];
      const store = createJobStore(db);
      const own = createWorker({
        store,
        handlers,
        dispatch: databaseDispatch,
        events,
        clock: systemClock,
        log,
        concurrency,
      });
      worker = own;
      wakes.close();
      wakes = connect({ db, bus, worker, relay: null });
      await own.start();
      return async () => {
        await own.stop(5_000);
        await minutes.close();
      };
    },
    clear: () => db.exclusively((run) => run(db.dialect === "pg" ? "truncate jobs, job_workers" : "delete from jobs")),
    async close() {
      wakes.close();
      await bus.close();
      await db.close();
    },
  };
}
