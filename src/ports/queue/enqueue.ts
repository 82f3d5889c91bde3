/** Jobs as statements: they are part of the atomic list of the change that they follow from. */
import type { z } from "zod";
import { fromInstant, type Instant } from "../../core/clock.ts";
import { idPrefixes, newId } from "../../core/id.ts";
import type { Bound, Tx } from "../db/port.ts";
import { instantAt, instantOf, keyFault, MAX_INT, wholeFault } from "./bounds.ts";
import { type JobType, PayloadError } from "./define.ts";
import { insertion } from "./insertion.ts";
import { toPayload } from "./payload.ts";
import type { Cause, EnqueueOptions, Unique } from "./port.ts";

export interface Enqueue extends EnqueueOptions {
  by: Cause;
}

/** What the jobs of one call have in common: it follows from their type and what is said of them, whatever their inputs are. */
export interface Common {
  createdAt: Instant;
  name: string;
  queue: string;
  state: "waiting" | "delayed";
  rank: number;
  runAt: Instant;
  inputVersion: number;
  maxAttempts: number;
  expiresAt: Instant | null;
  /** What `expiresAt` was made of, for one that is put in the place of another. */
  ttlMs: number | null;
  deadlineAt: Instant | null;
  actor: Cause["actor"];
  traceId: string | null;
  requestId: string | null;
  scheduleName: string | null;
}

/** A row as it is inserted; `input` is JSON already. */
export interface NewJob extends Common {
  id: string;
  input: string;
  groupKey: string | null;
  uniqueKey: string | null;
  uniqueUntil: "start" | "end" | null;
}

/**
 * The statement that makes a job. It answers the job's id, and none where a unique one is there already and was left as it is. Throws a
 * PayloadError when the input, a key or an instant is refused, and a RangeError for a number that cannot be kept.
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

/** The row of a job, and how it meets another of its key. */
export function toRow<In extends z.ZodType, Out extends z.ZodType>(
  type: JobType<In, Out>,
  input: z.input<In>,
  options: Enqueue,
): { row: NewJob; mode: Unique["mode"] | null } {
  const { own, parsed } = ownOf(type, input, options);
  const unique: Unique | null =
    options.unique ?? (type.unique ? { key: type.unique.key(parsed), mode: type.unique.mode } : null);
  const row: NewJob = {
    ...commonOf(type, options),
    ...own,
    uniqueKey: unique && keyOf(type, "unique key", unique.key),
    uniqueUntil: unique && (unique.mode === "skip" ? "end" : "start"),
  };
  return { row, mode: unique?.mode ?? null };
}

/** What a job has for itself. */
export function ownOf<In extends z.ZodType, Out extends z.ZodType>(
  type: JobType<In, Out>,
  input: z.input<In>,
  { group }: Enqueue,
): { own: Pick<NewJob, "id" | "input" | "groupKey">; parsed: z.output<In> } {
  const { text, parsed } = toPayload(type, input);
  const groupKey = type.group ? keyOf(type, "group", group ?? type.group.key?.(parsed) ?? "") : null;
  return { own: { id: newId(idPrefixes.job), input: text, groupKey }, parsed };
}

export function commonOf(type: Named, options: Enqueue): Common {
  const { by } = options;
  const priority = options.priority ?? type.priority;
  const fault = wholeFault(priority, -MAX_INT);
  if (fault) throw new RangeError(refusal(type, "priority", fault));
  const runAt = dueAt(type, options);
  const ttlMs = options.ttlMs ?? type.ttlMs ?? null;
  const ends = ttlMs === null ? null : later(type, "ttlMs", runAt, ttlMs);
  const deadlineAt = options.deadlineAt === undefined ? null : instant(type, "deadlineAt", options.deadlineAt);
  return {
    createdAt: by.now,
    name: type.name,
    queue: type.queue,
    state: runAt > by.now ? "delayed" : "waiting",
    rank: 0 - priority,
    runAt,
    inputVersion: type.version,
    maxAttempts: type.retry.attempts,
    expiresAt: ends === null || (deadlineAt !== null && deadlineAt < ends) ? deadlineAt : ends,
    ttlMs,
    deadlineAt,
    actor: by.actor,
    traceId: by.traceId,
    requestId: by.requestId,
    scheduleName: options.scheduleName ?? null,
  };
}

type Named = Omit<JobType, "input" | "result" | "unique" | "group" | "migrate">;

function dueAt(type: Named, { by, delayMs = 0, runAt }: Enqueue): Instant {
  if (runAt !== undefined) return instant(type, "runAt", runAt);
  return delayMs <= 0 ? by.now : later(type, "delayMs", by.now, delayMs);
}

function later(type: Named, option: string, from: Instant, ms: number): Instant {
  const at = instantAt(fromInstant(from) + ms);
  if (at === null) throw new RangeError(refusal(type, option, `${ms} ms lead to no time from year 1 to 9999`));
  return at;
}

function instant(type: Named, option: string, text: string): Instant {
  const at = instantOf(text);
  if (at === null)
    throw new PayloadError(
      refusal(type, option, `"${String(text).slice(0, 40)}" is no instant of ISO 8601 from year 1 to 9999`),
    );
  return at;
}

function keyOf(type: { name: string }, what: string, key: string): string {
  const fault = keyFault(key);
  if (fault) throw new PayloadError(refusal(type, what, fault));
  return key;
}

const refusal = ({ name }: { name: string }, what: string, fault: string) =>
  `The ${what} of ${name} is refused: ${fault}.`;
