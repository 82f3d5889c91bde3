/** The commands about jobs and queues: each by the verbs of the API, with what it prints for people. */
import process from "node:process";
import { createInterface } from "node:readline/promises";
import type { Filter, ListInput, Page, Position } from "../src/core/page.ts";
import type { Env } from "../src/env.ts";
import type { Queues } from "../src/modules/jobs/queues.ts";
import type { Times } from "../src/modules/jobs/rates.ts";
import { DeadJobsRetry, JobRetry, JobsPurge, jobList, minuteList } from "../src/modules/jobs/schema.ts";
import type { Jobs } from "../src/modules/jobs/service.ts";
import type { Context } from "../src/policy/context.ts";
import { type JobInput, type Option, parsed, wrong } from "./jobs-input.ts";
import { watch } from "./jobs-watch.ts";
import { fail } from "./open.ts";
import { count, details, duration, oneLine, table } from "./print.ts";

interface Command {
  /** What it has to be told beside its name, as the help writes it. */
  takes?: "id" | "type" | "queue";
  options: readonly Option[];
  run(verbs: { jobs: Jobs; queues: Queues }, ctx: Context, input: JobInput): Promise<unknown>;
  /** For people; the answer of `run` as JSON otherwise. */
  print(answer: never, input: JobInput): string;
}

/** One that goes on until it is ended, and needs no database. */
interface Following {
  takes?: undefined;
  options: readonly Option[];
  follow(env: Env, input: JobInput): Promise<void>;
}

const MAX_BATCH = 1000;

export const commands: Record<string, Command | Following> = {
  list: {
    options: ["name", "queue", "state", "since", "limit"],
    run: list,
    print: (jobs: Awaited<ReturnType<typeof list>>) =>
      table(
        jobs.map(({ id, state, name, queue, attempt, maxAttempts, createdAt, error }) => ({
          ID: id,
          STATE: state,
          TYPE: name,
          QUEUE: queue,
          ATTEMPT: `${attempt}/${maxAttempts}`,
          MADE: createdAt,
          ERROR: error ? `${error.code}: ${oneLine(error.message)}` : "",
        })),
        "There are no such jobs.",
      ),
  },
  show: {
    takes: "id",
    options: [],
    run: ({ jobs }, ctx, { id }) => jobs.get(ctx, id()),
    print: details,
  },
  retry: {
    takes: "id",
    options: ["attempts"],
    run: ({ jobs }, ctx, { id, number }) =>
      jobs.retry(ctx, id(), parsed(JobRetry, { attempts: number("attempts") }).attempts),
    print: ({ id, maxAttempts, attempt }: { id: string; maxAttempts: number; attempt: number }) =>
      `${id} runs again, with ${maxAttempts - attempt} further attempts.`,
  },
  "retry-dead": {
    takes: "type",
    options: ["attempts", "limit"],
    run: ({ jobs }, ctx, input) =>
      inBatches(input, (limit) =>
        jobs.retryDead(ctx, input.name("type"), parsed(DeadJobsRetry, { attempts: input.number("attempts"), limit })),
      ),
    print: ({ jobs }: Affected, { target }) => `${count(jobs, "job")} of ${target} run again.`,
  },
  cancel: {
    takes: "id",
    options: [],
    run: ({ jobs }, ctx, { id }) => jobs.cancel(ctx, id()),
    print: ({ id }: { id: string }) => `${id} is cancelled.`,
  },
  purge: {
    options: ["state", "older-than", "limit"],
    run({ jobs }, ctx, input) {
      const { state, "older-than": olderThan } = input.values;
      if (!state || !olderThan) wrong("`purge` needs --state and --older-than.");
      const olderThanS = input.seconds("older-than");
      return inBatches(input, (limit) => jobs.purge(ctx, parsed(JobsPurge, { state, olderThanS, limit })));
    },
    print: ({ jobs }: Affected) => `${count(jobs, "job")} deleted.`,
  },
  watch: { options: ["name"], follow: watch },
  queues: {
    options: [],
    run: ({ queues }, ctx) => queues.list(ctx),
    print: (queues: Awaited<ReturnType<Queues["list"]>>) =>
      table(
        queues.map(({ name, pausedAt, counts, oldestWaitingMs, lastMinutes: last }) => ({
          QUEUE: name,
          "": pausedAt ? "paused" : "",
          WAITING: counts.waiting,
          OLDEST: oldestWaitingMs === null ? "–" : duration(oldestWaitingMs),
          DELAYED: counts.delayed,
          ACTIVE: counts.active,
          RETRYING: counts.retrying,
          DEAD: counts.failed,
          [`DONE/${last.minutes}m`]: last.done,
          [`DIED/${last.minutes}m`]: last.failed,
          "WAIT p95": shownTime(last.wait, "p95Ms"),
          "RUN p95": shownTime(last.run, "p95Ms"),
        })),
        "There are no jobs, and no queue is paused.",
      ),
  },
  rates: {
    takes: "queue",
    options: ["name", "since", "limit"],
    run: rates,
    print: (minutes: Awaited<ReturnType<typeof rates>>) =>
      table(
        minutes.map(({ minute, name, done, retried, failed, cancelled, wait, run }) => ({
          MINUTE: minute.slice(0, 16),
          TYPE: name,
          DONE: done,
          RETRIED: retried,
          DIED: failed,
          CANCELLED: cancelled,
          "WAIT p50": shownTime(wait, "p50Ms"),
          "WAIT p95": shownTime(wait, "p95Ms"),
          "RUN p50": shownTime(run, "p50Ms"),
          "RUN p95": shownTime(run, "p95Ms"),
        })),
        "Nothing happened in this queue then.",
      ),
  },
  pause: {
    takes: "queue",
    options: [],
    run: ({ queues }, ctx, { name }) => queues.pause(ctx, name("queue")),
    print: (_: unknown, { target }) => `The queue ${target} is paused.`,
  },
  resume: {
    takes: "queue",
    options: [],
    run: ({ queues }, ctx, { name }) => queues.resume(ctx, name("queue")),
    print: (_: unknown, { target }) => `The queue ${target} goes on.`,
  },
  drain: {
    takes: "queue",
    options: ["yes"],
    async run({ queues }, ctx, input) {
      const queue = input.name("queue");
      if (!input.values.yes) await agreed(`This cancels all jobs of the queue ${queue} that do not run just now.`);
      return inBatches(input, () => queues.drain(ctx, queue));
    },
    print: ({ jobs }: Affected, { target }) => `${count(jobs, "job")} of the queue ${target} cancelled.`,
  },
};

const shownTime = (times: Times, of: "p50Ms" | "p95Ms") => (times.count === 0 ? "–" : duration(times[of]));

interface Affected {
  jobs: number;
  more: boolean;
}

/** By the limits of the API, one request after the other, until there is no more or as many as were asked for. */
async function inBatches(input: JobInput, send: (limit: number) => Promise<Affected>): Promise<Affected> {
  let left = input.limit(Number.POSITIVE_INFINITY);
  let jobs = 0;
  for (;;) {
    const done = await send(Math.min(left, MAX_BATCH));
    jobs += done.jobs;
    left -= done.jobs;
    if (!done.more || left <= 0 || done.jobs === 0) return { jobs, more: done.more };
  }
}

function list({ jobs }: { jobs: Jobs }, ctx: Context, { values, limit, since }: JobInput) {
  const filters: Filter[] = [];
  for (const field of ["name", "queue", "state"] as const) {
    const value = values[field];
    if (value !== undefined)
      filters.push({ field, op: "eq", value: parsed(jobList.filter[field].schema, value, field) });
  }
  const from = since();
  if (from !== undefined) filters.push({ field: "createdAt", op: "gte", value: from });
  const page = (input: ListInput) => jobs.list(ctx, input);
  return newest(limit(20), "id", filters, page, ({ id }) => ({ value: id, id }));
}

function rates({ queues }: { queues: Queues }, ctx: Context, { values, limit, since, name }: JobInput) {
  const queue = name("queue");
  const filters: Filter[] = [];
  if (values.name !== undefined)
    filters.push({ field: "name", op: "eq", value: parsed(minuteList.filter.name.schema, values.name, "name") });
  const from = since();
  if (from !== undefined) filters.push({ field: "minute", op: "gte", value: from });
  const page = (input: ListInput) => queues.minutes(ctx, queue, input);
  return newest(limit(60), "minute", filters, page, ({ minute, id }) => ({ value: minute, id }));
}

/** Page after page, until there are as many as were asked for. */
async function newest<T>(
  most: number,
  field: string,
  filters: Filter[],
  page: (input: ListInput) => Promise<Page<T>>,
  positionOf: (item: T) => Position,
): Promise<T[]> {
  const sort = { field, descending: true };
  const input: ListInput = { limit: 100, sort, after: null, filters, fields: null, count: false };
  const found: T[] = [];
  for (;;) {
    const { items, more, next } = await page(input);
    found.push(...items);
    const last = found.at(-1);
    const position = next ?? (more && last !== undefined ? positionOf(last) : null);
    if (!position || found.length >= most) return found.slice(0, most);
    input.after = position;
  }
}

async function agreed(what: string): Promise<void> {
  if (!process.stdin.isTTY) fail("Nothing was changed: pass --yes where nobody can be asked.");
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`${what} Go on? (y/N) `);
  terminal.close();
  if (answer.trim().toLowerCase() !== "y") fail("Nothing was changed.");
}
