/** Jobs as statements: they are part of the atomic list of the change that they follow from. */
import { sql } from "drizzle-orm/sql";
import type { z } from "zod";
import type { Tables } from "../../../db/tables.ts";
import { fromInstant, type Instant, toInstant } from "../../core/clock.ts";
import { idPrefixes, newId } from "../../core/id.ts";
import { textOf } from "../db/placeholders.ts";
import type { Bound, Builders, Tx } from "../db/port.ts";
import { type JobType, PayloadError } from "./define.ts";
import { toPayload } from "./payload.ts";
import type { Cause, EnqueueOptions, Unique } from "./port.ts";

export interface Enqueue extends EnqueueOptions {
  by: Cause;
}

/** A row as it is inserted; `input` is JSON already. */
export interface NewJob {
  id: string;
  createdAt: Instant;
  name: string;
  queue: string;
  state: "waiting" | "delayed";
  rank: number;
  runAt: Instant;
  input: string;
  inputVersion: number;
  maxAttempts: number;
  groupKey: string | null;
  uniqueKey: string | null;
  uniqueUntil: "start" | "end" | null;
  expiresAt: Instant | null;
  deadlineAt: Instant | null;
  actor: Cause["actor"];
  traceId: string | null;
  requestId: string | null;
  scheduleName: string | null;
}

/**
 * The statement that makes a job. It answers the job's id, and none where a unique one is there already and was left as it is. Throws a
 * PayloadError when the type refuses the input.
 */
export const enqueue = <In extends z.ZodType, Out extends z.ZodType>(
  tx: Tx,
  type: JobType<In, Out>,
  input: z.input<In>,
  options: Enqueue,
): Bound<{ id: string }[]> => {
  const { row, mode } = toRow(type, input, options);
  return insertion(tx, row, mode);
};

export const insertion = (tx: Pick<Tx, "prepare">, row: NewJob, mode: Unique["mode"] | null): Bound<{ id: string }[]> =>
  tx.prepare(mode === null ? insert : unique[mode])({ ...row }) as Bound<{ id: string }[]>;

/** The row of a job, and how it meets another of its key. */
export function toRow<In extends z.ZodType, Out extends z.ZodType>(
  type: JobType<In, Out>,
  input: z.input<In>,
  options: Enqueue,
): { row: NewJob; mode: Unique["mode"] | null } {
  const { by } = options;
  const { text, parsed } = toPayload(type, input);
  const runAt = dueAt(options);
  const ttlMs = options.ttlMs ?? type.ttlMs;
  const deadlineAt = options.deadlineAt ?? null;
  const ends = ttlMs === undefined ? null : toInstant(fromInstant(runAt) + ttlMs);
  const unique: Unique | null =
    options.unique ?? (type.unique ? { key: type.unique.key(parsed), mode: type.unique.mode } : null);
  const row: NewJob = {
    id: newId(idPrefixes.job),
    createdAt: by.now,
    name: type.name,
    queue: type.queue,
    state: runAt > by.now ? "delayed" : "waiting",
    rank: 0 - (options.priority ?? type.priority),
    runAt,
    input: text,
    inputVersion: type.version,
    maxAttempts: type.retry.attempts,
    groupKey: type.group ? (options.group ?? type.group.key?.(parsed) ?? "") : null,
    uniqueKey: unique?.key ?? null,
    uniqueUntil: unique && (unique.mode === "skip" ? "end" : "start"),
    expiresAt: ends === null || (deadlineAt !== null && deadlineAt < ends) ? deadlineAt : ends,
    deadlineAt,
    actor: by.actor,
    traceId: by.traceId,
    requestId: by.requestId,
    scheduleName: options.scheduleName ?? null,
  };
  return { row, mode: unique?.mode ?? null };
}

function dueAt({ by, delayMs, runAt }: Enqueue): Instant {
  if (runAt === undefined)
    return delayMs === undefined || delayMs <= 0 ? by.now : toInstant(fromInstant(by.now) + delayMs);
  const ms = fromInstant(runAt);
  if (Number.isNaN(ms)) throw new PayloadError(`"${runAt}" is no instant at which a job could run`);
  // An instant's text is compared, so it has the one form that all of them have.
  return toInstant(ms);
}

const names = [
  "id",
  "createdAt",
  "name",
  "queue",
  "state",
  "rank",
  "runAt",
  "inputVersion",
  "maxAttempts",
  "groupKey",
  "uniqueKey",
  "uniqueUntil",
  "expiresAt",
  "deadlineAt",
  "actor",
  "traceId",
  "requestId",
  "scheduleName",
] as const;

const values = ({ jobs }: Tables) => ({
  ...(Object.fromEntries(names.map((name) => [name, sql.placeholder(name)])) as Record<(typeof names)[number], never>),
  // Text already: the column would encode it a second time.
  input: textOf("input", jobs.input),
});

const inserting = (q: Builders, tables: Tables) => q.insert(tables.jobs).values(values(tables));

const insert = (q: Builders, tables: Tables) => inserting(q, tables).returning({ id: tables.jobs.id });

const key = ({ jobs }: Tables) => [jobs.name, jobs.uniqueKey];
const held = sql`unique_key is not null`;

/** A job that was replaced keeps its id, so that whoever waits for it is answered. */
const over = (tables: Tables, ...columns: string[]) => {
  const taken = (column: string) => sql.raw(`excluded.${column}`);
  const { jobs } = tables;
  return {
    target: key(tables),
    targetWhere: held,
    set: {
      input: taken("input"),
      inputVersion: taken("input_version"),
      rank: taken("rank"),
      deadlineAt: taken("deadline_at"),
      expiresAt: taken("expires_at"),
      actor: taken("actor"),
      traceId: taken("trace_id"),
      requestId: taken("request_id"),
      ...(columns.includes("run_at") ? { runAt: taken("run_at"), state: taken("state") } : {}),
    },
    setWhere: sql`${jobs.state} in ('waiting', 'delayed')`,
  };
};

const unique = {
  // The only other constraint that a new row could meet is the primary key, and ids do not meet. (Drizzle 0.45 prints a target's
  // condition in the wrong place for SQLite.)
  skip: (q: Builders, tables: Tables) => inserting(q, tables).onConflictDoNothing().returning({ id: tables.jobs.id }),
  replace: (q: Builders, tables: Tables) =>
    inserting(q, tables).onConflictDoUpdate(over(tables)).returning({ id: tables.jobs.id }),
  debounce: (q: Builders, tables: Tables) =>
    inserting(q, tables).onConflictDoUpdate(over(tables, "run_at")).returning({ id: tables.jobs.id }),
};
