/** What a job type is: a constant of its module. Its handler is made where its services are (`handle`). */
import type { z } from "zod";
import type { Actor } from "../../core/actor.ts";
import type { Instant } from "../../core/clock.ts";
import { NAME } from "../../core/name.ts";
import type { Rule } from "../limits/port.ts";
import { MAX_INT, spanFault, wholeFault } from "./bounds.ts";
import type { Unique } from "./port.ts";

export interface Retry {
  /** How often it is tried in all, from 1. */
  attempts: number;
  /** The pause after the first failure is a random time up to `baseMs`, then up to twice that, and so on up to `maxMs`. */
  baseMs: number;
  maxMs: number;
  /** In place of that: the pause after the attempt of this number, from 1; null gives up. */
  delayMs?: (attempt: number, error: unknown) => number | null;
}

export interface JobSpec<In extends z.ZodType, Out extends z.ZodType> {
  /** Unique over all types, `<noun>.<verb>`; it is stored with each job, so a type that is renamed leaves its jobs behind. */
  name: string;
  /** The payload, as JSON carries it. It is checked when a job is enqueued and again when it runs. */
  input: In;
  /** What the handler answers, if it is to be kept. */
  result?: Out;
  /** The version of `input`, from 1. A job that was enqueued by older code goes through `migrate` first. */
  version?: number;
  migrate?: (input: unknown, fromVersion: number) => unknown;
  /** What operators pause and drain. */
  queue?: string;
  retry?: Partial<Retry>;
  /** How long one attempt may take. */
  timeoutMs?: number;
  /** How many of this type one process runs at once. Default: as many as the worker runs at all. */
  concurrency?: number;
  unique?: { key: (input: z.output<In>) => string; mode: Unique["mode"] };
  priority?: number;
  ttlMs?: number;
  /** Over all processes: how many of one group run at once, and how many start in a time. Without `key` all jobs of the type are one group. */
  group?: { key?: (input: z.output<In>) => string; concurrency?: number; rate?: Omit<Rule, "whenDown"> };
  /**
   * How long a job that is done is kept; 0: it is deleted with the record of its end (an hour later, where a schedule made it). Cancelled
   * ones are kept for a day, and failed ones for 30.
   */
  keepMs?: number;
}

export interface JobType<In extends z.ZodType = z.ZodType, Out extends z.ZodType = z.ZodType>
  extends Omit<JobSpec<In, Out>, "retry"> {
  readonly version: number;
  readonly queue: string;
  readonly retry: Retry;
  readonly timeoutMs: number;
  readonly priority: number;
  readonly keepMs: number;
}

const DEFAULTS = { version: 1, queue: "default", timeoutMs: 60_000, priority: 0, keepMs: 24 * 3_600_000 };
const RETRY: Retry = { attempts: 5, baseMs: 1_000, maxMs: 3_600_000 };

export function defineJob<In extends z.ZodType, Out extends z.ZodType = z.ZodVoid>(
  spec: JobSpec<In, Out>,
): JobType<In, Out> {
  const retry = { ...RETRY, ...said(spec.retry ?? {}) };
  const type = { ...DEFAULTS, ...said(spec), retry } as JobType<In, Out>;
  if (!NAME.test(type.name)) throw new Error(`"${type.name}" cannot name a job: use <noun>.<verb>`);
  if (!NAME.test(type.queue)) throw new Error(`Job ${type.name}: "${type.queue}" cannot name a queue`);
  for (const [option, fault] of faultsOf(type))
    if (fault) throw new RangeError(`Job ${type.name} cannot have this ${option}: ${fault}`);
  if (type.version > 1 && !type.migrate)
    throw new Error(`Job ${type.name} has version ${type.version} and no way to migrate an older input`);
  return type;
}

/** What is undefined is not said: the default holds. */
const said = <T extends object>(spec: T): Partial<T> =>
  Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined)) as Partial<T>;

/** Of each number of a type, what is wrong with it: it would else be found when a job runs, or never does. */
function faultsOf<In extends z.ZodType, Out extends z.ZodType>(type: JobType<In, Out>): [string, string | null][] {
  const { retry, group } = type;
  const given = (value: number | undefined, faultOf: typeof spanFault) =>
    value === undefined ? null : faultOf(value, 1);
  return [
    ["version", wholeFault(type.version, 1)],
    ["priority", wholeFault(type.priority, -MAX_INT)],
    ["retry.attempts", wholeFault(retry.attempts, 1)],
    ["retry.baseMs", spanFault(retry.baseMs, 0)],
    ["retry.maxMs", spanFault(retry.maxMs, 0)],
    ["timeoutMs", spanFault(type.timeoutMs, 1)],
    ["keepMs", spanFault(type.keepMs, 0)],
    ["ttlMs", given(type.ttlMs, spanFault)],
    ["concurrency", given(type.concurrency, wholeFault)],
    ["group.concurrency", given(group?.concurrency, wholeFault)],
    ["group.rate.limit", given(group?.rate?.limit, wholeFault)],
    ["group.rate.windowMs", given(group?.rate?.windowMs, spanFault)],
  ];
}

/** What a handler knows of its job. It is the `by` of what the handler enqueues itself. */
export interface JobContext {
  readonly jobId: string;
  /** From 1. */
  readonly attempt: number;
  /** Who caused it. */
  readonly actor: Actor;
  readonly traceId: string | null;
  readonly requestId: string | null;
  /** Aborted when its time is up, when it was cancelled, and when this process has lost it. */
  readonly signal: AbortSignal;
  /** Whenever it is read, and not when the attempt began: what is enqueued an hour later is delayed, and expires, from then on. */
  readonly now: Instant;
  /** Keeps a value of JSON with the job, at most twice a second; the last one always. */
  progress(value: unknown): void;
}

export interface JobHandler {
  readonly type: JobType;
  run(input: never, ctx: JobContext): unknown;
}

/** Pairs a type with what does its work; made at composition, closed over services. */
export const handle = <In extends z.ZodType, Out extends z.ZodType>(
  type: JobType<In, Out>,
  run: (input: z.output<In>, ctx: JobContext) => Promise<z.input<Out>> | z.input<Out>,
): JobHandler => ({ type: type as unknown as JobType, run });

/** An error that no further attempt can mend: the job dies at once. Any error whose `retryable` is false does the same. */
export class PermanentError extends Error {
  override readonly name = "PermanentError";
  readonly retryable = false;
}

/**
 * A payload that its type refuses, or a key or an instant that cannot be kept. It is a fault of the code that enqueues, and is thrown before
 * anything is written.
 */
export class PayloadError extends Error {
  override readonly name = "PayloadError";
  readonly retryable = false;
}
