/**
 * Rates over time: what happened to the jobs of this process (tally.ts), added to `job_minutes` about once a second. A process that is killed
 * loses the second that it had not written.
 */
import { type SQL, sql } from "drizzle-orm/sql";
import { getTableColumns } from "drizzle-orm/utils";
import type { Tables } from "../../../db/tables.ts";
import { fromInstant, type Instant, toInstant } from "../../core/clock.ts";
import { AppError } from "../../core/error.ts";
import { ConstraintError } from "../db/constraint.ts";
import { columnName, value } from "../db/placeholders.ts";
import { type Builders, type Db, type Dialect, quietly } from "../db/port.ts";
import type { Log } from "../log/port.ts";
import type { JobEvents } from "./events.ts";
import type { Ended } from "./operate.ts";
import { rowsOf } from "./rows.ts";
import { counted, createTally, largest, type Minute, summed } from "./tally.ts";

const FLUSH_MS = 1_000;
const BATCH = 500;

const rows = (dialect: Dialect) =>
  rowsOf<string>(dialect, {
    id: "text",
    minute: "instant",
    queue: "text",
    name: "text",
    // A thousand jobs that waited for a month are more milliseconds than an integer holds.
    ...Object.fromEntries(counted.map((name) => [columnName(name), name.endsWith("Ms") ? "real" : "int"])),
  });
const given = { pg: rows("pg"), sqlite: rows("sqlite") };

const upsert =
  (dialect: Dialect) =>
  (q: Builders, { jobMinutes }: Tables) => {
    const selected = Object.keys(getTableColumns(jobMinutes)).map(
      (key): SQL => sql.raw(`r.${key === "createdAt" ? "minute" : columnName(key)}`),
    );
    const greatest = dialect === "pg" ? "greatest" : "max";
    const set = Object.fromEntries([
      ...summed.map((name) => [name, sql.raw(`job_minutes.${columnName(name)} + excluded.${columnName(name)}`)]),
      ...largest.map((name) => [
        name,
        sql.raw(`${greatest}(job_minutes.${columnName(name)}, excluded.${columnName(name)})`),
      ]),
    ]);
    return (
      q
        .insert(jobMinutes)
        // SQLite would take `on conflict` for a condition of the join, without a `where` before it.
        .select(sql`select ${sql.join(selected, sql`, `)} from ${given[dialect].from} where true`)
        .onConflictDoUpdate({ target: jobMinutes.id, set })
    );
  };
const upserts = { pg: upsert("pg"), sqlite: upsert("sqlite") };

const purge = (q: Builders, { jobMinutes }: Tables) =>
  q.delete(jobMinutes).where(sql`${jobMinutes.minute} < ${value("before", jobMinutes.minute)}`);

/** Deletes the minutes before. */
export const purgeMinutes = async (db: Db, before: Instant): Promise<void> => {
  await db.atomic((tx) => [quietly(tx.prepare(purge)({ before }))]);
};

const store = async (db: Db, batch: readonly Minute[]): Promise<void> => {
  const values = given[db.dialect].bind(batch.map(asRow));
  await db.atomic((tx) => [quietly(tx.prepare(upserts[db.dialect])(values))]);
};

/** Adds jobs that were cancelled in the record, which need not have been in any process. */
export async function countCancelled(db: Db, at: Instant, jobs: readonly Ended[]): Promise<void> {
  const tally = createTally();
  for (const job of jobs) tally.count({ kind: "cancelled", at, ...job });
  for (const rest = tally.minutes(); rest.length > 0; ) await store(db, rest.splice(0, BATCH));
}

export interface JobMinutes {
  /** Writes what has been counted. It is kept, and written with the next, where the database is away. */
  flush(): Promise<void>;
  /** Counts no more, and writes the rest. */
  close(): Promise<void>;
}

interface Options {
  db: Db;
  events: JobEvents;
  log: Log;
  /** Whether it flushes by itself; where nothing runs between calls, whoever calls does. */
  timer?: boolean;
}

export function createJobMinutes({ db, events, log, timer = true }: Options): JobMinutes {
  let open = createTally();
  let flushing: Promise<void> = Promise.resolve();
  let broken = false;

  const stop = events.onJobEvent((event) => open.count(event));
  const every = timer ? setInterval(() => void flush(), FLUSH_MS) : null;

  async function write() {
    const taken = open.minutes();
    if (taken.length === 0) return;
    open = createTally();
    try {
      for (; taken.length > 0; taken.splice(0, BATCH)) await writeBatch(taken.slice(0, BATCH));
      broken = false;
    } catch (err) {
      if (!broken) log.warn({ err }, "the rates of jobs could not be written; they are kept in memory");
      broken = true;
      for (const minute of taken) open.add(minute);
    }
  }
  /** What the database does not want it would not want later either: it is given up, lest it hold up all that follows. */
  async function writeBatch(batch: readonly Minute[]) {
    try {
      await store(db, batch);
    } catch (err) {
      if (!isRefusal(err)) throw err;
      log.error({ err, minutes: batch.length }, "the rates of jobs were refused by the database, and are lost");
    }
  }
  const flush = () => {
    flushing = flushing.then(write);
    return flushing;
  };

  return {
    flush,
    async close() {
      stop();
      if (every) clearInterval(every);
      await flush();
    },
  };
}

/** Not that it is away, nor that two who write at once hinder each other. */
const isRefusal = (error: unknown) => !(error instanceof AppError) || error.cause instanceof ConstraintError;

const asRow = (minute: Minute): Record<string, string | number> => ({
  id: minute.id,
  minute: minute.minute,
  queue: minute.queue,
  name: minute.name,
  ...Object.fromEntries(counted.map((name) => [columnName(name), Math.round(minute[name])])),
});

/** How long the minutes are kept. */
export const KEEP_MINUTES_MS = 14 * 24 * 3_600_000;
export const minutesAgo = (now: Instant, minutes: number): Instant =>
  toInstant(Math.floor(fromInstant(now) / 60_000) * 60_000 - minutes * 60_000);
