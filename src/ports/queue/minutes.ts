/**
 * Rates over time: what happened to the jobs of this process, counted by minute, queue and name, and added to `job_minutes` about once a
 * second. Counting costs a job less than a microsecond; a process that is killed loses the second that it had not written.
 */
import { type SQL, sql } from "drizzle-orm/sql";
import { getTableColumns } from "drizzle-orm/utils";
import type { Tables } from "../../../db/tables.ts";
import { bucketEdges } from "../../../db/tables-queue.ts";
import { fromInstant, type Instant, toInstant } from "../../core/clock.ts";
import { AppError } from "../../core/error.ts";
import { ConstraintError } from "../db/constraint.ts";
import { value } from "../db/placeholders.ts";
import { type Builders, type Db, type Dialect, quietly } from "../db/port.ts";
import type { Log } from "../log/port.ts";
import type { JobEvents } from "./events.ts";
import type { JobEvent } from "./port.ts";
import { rowsOf } from "./rows.ts";

const BUCKETS = ["10ms", "100ms", "1s", "10s", "60s", "More"] as const;
const counted = ["done", "retried", "failed", "cancelled"] as const;
const bucketsOf = <K extends "wait" | "run">(kind: K) => BUCKETS.map((bucket) => `${kind}${bucket}` as const);
/** Columns that are added up, and those that keep the largest. */
const summed = [...counted, "waitMs", "runMs", ...bucketsOf("wait"), ...bucketsOf("run")] as const;
const largest = ["waitMaxMs", "runMaxMs"] as const;
const columns = [...summed, ...largest];

type Count = (typeof columns)[number];
type Minute = Record<Count, number> & { id: string; minute: Instant; queue: string; name: string };

type Subject = Pick<JobEvent, "queue" | "name">;

interface Counts {
  all: Map<string, Minute>;
  newest: Map<string, Minute>;
}
const counts = (): Counts => ({ all: new Map(), newest: new Map() });

const snake = (name: string) => name.replace(/([A-Z])/g, "_$1").toLowerCase();

/** Minutes without a flush, while the database is away, take no more memory than this many rows. */
const MAX_ROWS = 5_000;
const FLUSH_MS = 1_000;
const BATCH = 500;

const rows = (dialect: Dialect) =>
  rowsOf<string>(dialect, {
    id: "text",
    minute: "instant",
    queue: "text",
    name: "text",
    // A thousand jobs that waited for a month are more milliseconds than an integer holds.
    ...Object.fromEntries(columns.map((name) => [snake(name), name.endsWith("Ms") ? "real" : "int"])),
  });
const given = { pg: rows("pg"), sqlite: rows("sqlite") };

const upsert =
  (dialect: Dialect) =>
  (q: Builders, { jobMinutes }: Tables) => {
    const selected = Object.keys(getTableColumns(jobMinutes)).map(
      (key): SQL => sql.raw(`r.${key === "createdAt" ? "minute" : snake(key)}`),
    );
    const greatest = dialect === "pg" ? "greatest" : "max";
    const set = Object.fromEntries([
      ...summed.map((name) => [name, sql.raw(`job_minutes.${snake(name)} + excluded.${snake(name)}`)]),
      ...largest.map((name) => [name, sql.raw(`${greatest}(job_minutes.${snake(name)}, excluded.${snake(name)})`)]),
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

/** In one order, so that instances which write the same minutes do not lock each other out. */
const inOrder = ({ all }: Counts): Minute[] => [...all.values()].sort((a, b) => (a.id < b.id ? -1 : 1));

/** Adds jobs that were cancelled in the record, which need not have been in any process. */
export async function countCancelled(db: Db, at: Instant, jobs: readonly Subject[]): Promise<void> {
  const cancelled = counts();
  for (const { queue, name } of jobs) {
    const minute = minuteOf(cancelled, { at, queue, name });
    if (minute) minute.cancelled++;
  }
  for (const rest = inOrder(cancelled); rest.length > 0; ) await store(db, rest.splice(0, BATCH));
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
  let open = counts();
  let flushing: Promise<void> = Promise.resolve();
  let broken = false;

  const stop = events.onJobEvent((event) => count(open, event));
  const every = timer ? setInterval(() => void flush(), FLUSH_MS) : null;

  async function write() {
    if (open.all.size === 0) return;
    const taken = inOrder(open);
    open = counts();
    try {
      for (; taken.length > 0; taken.splice(0, BATCH)) await writeBatch(taken.slice(0, BATCH));
      broken = false;
    } catch (err) {
      if (!broken) log.warn({ err }, "the rates of jobs could not be written; they are kept in memory");
      broken = true;
      for (const minute of taken) add(open, minute);
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
  ...Object.fromEntries(columns.map((name) => [snake(name), Math.round(minute[name])])),
});

function count(open: Counts, event: JobEvent): void {
  const { kind } = event;
  if (kind === "started" || kind === "progress") return;
  if (kind === "cancelled" && event.counted) return;
  const minute = minuteOf(open, event);
  if (!minute) return;
  if (kind === "completed") minute.done++;
  else if (kind === "retried") minute.retried++;
  else if (kind === "dead") minute.failed++;
  else if (kind === "cancelled") minute.cancelled++;
  if (kind !== "completed" && kind !== "failed") return;
  const { waitMs, runMs } = event;
  minute.waitMs += waitMs;
  minute.runMs += runMs;
  minute.waitMaxMs = Math.max(minute.waitMaxMs, waitMs);
  minute.runMaxMs = Math.max(minute.runMaxMs, runMs);
  minute[waitBuckets[bucketOf(waitMs)] as Count]++;
  minute[runBuckets[bucketOf(runMs)] as Count]++;
}

const waitBuckets = bucketsOf("wait");
const runBuckets = bucketsOf("run");
function bucketOf(ms: number): number {
  let i = 0;
  while (i < bucketEdges.length && ms > (bucketEdges[i] as number)) i++;
  return i;
}

let last = { text: "", minute: "" };
/** The minute that an instant lies in: its text up to the minute, which is the same for many events in a row. */
function startOf(at: Instant): Instant {
  if (last.text !== at) last = { text: at, minute: `${at.slice(0, 16)}:00.000Z` };
  return last.minute;
}

/** Found by the name, which nearly always has one queue: no key is put together for each event. */
function minuteOf({ all, newest }: Counts, { at, queue, name }: Subject & { at: Instant }): Minute | null {
  const minute = startOf(at);
  const last = newest.get(name);
  if (last && last.minute === minute && last.queue === queue) return last;
  const id = `${minute}/${queue}/${name}`;
  let found = all.get(id);
  if (!found) {
    if (all.size >= MAX_ROWS) return null;
    found = { id, minute, queue, name, ...Object.fromEntries(columns.map((column) => [column, 0])) } as Minute;
    all.set(id, found);
  }
  newest.set(name, found);
  return found;
}

function add({ all }: Counts, minute: Minute): void {
  const known = all.get(minute.id);
  if (!known) {
    if (all.size < MAX_ROWS) all.set(minute.id, minute);
    return;
  }
  for (const name of summed) known[name] += minute[name];
  for (const name of largest) known[name] = Math.max(known[name], minute[name]);
}

/** How long the minutes are kept. */
export const KEEP_MINUTES_MS = 14 * 24 * 3_600_000;
export const minutesAgo = (now: Instant, minutes: number): Instant =>
  toInstant(Math.floor(fromInstant(now) / 60_000) * 60_000 - minutes * 60_000);
