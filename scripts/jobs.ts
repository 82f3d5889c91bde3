/** `jobs <command>`: looks after jobs and queues by the verbs of the API, in the database of the environment. `jobs --help` tells all. */
import process from "node:process";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import type { z } from "zod";
import { systemClock, toInstant } from "../src/core/clock.ts";
import { AppError } from "../src/core/error.ts";
import type { Filter, ListInput } from "../src/core/page.ts";
import { DeadJobsRetry, JobParams, JobRetry, JobsPurge, jobList, NameParams } from "../src/modules/jobs/schema.ts";
import { createJobs, type Jobs } from "../src/modules/jobs/service.ts";
import { type Context, inward } from "../src/policy/context.ts";
import { createConsoleLog } from "../src/ports/log/console.ts";
import { abilities } from "../src/rules.ts";
import { openBus } from "../src/runtimes/open-bus.ts";
import { fail, nameOf, readEnv, withDb } from "./open.ts";
import { count, details, duration, oneLine, table } from "./print.ts";

const HELP = `Looks after jobs and queues, in the database that DATABASE_URL names.

Usage: bun run jobs <command> [options]

Jobs
  list                      The newest jobs, those that are done among them
      --name <type>           of this type
      --queue <queue>         of this queue
      --state <state>         waiting, delayed, active, retrying, done, failed or cancelled
      --since <time>          made since: 30s, 15m, 2h, 7d ago, or 2026-01-31T09:30:00.000Z
      --limit <n>             how many at most (20)
  show <id>                 One job, with its input and its error; credentials in them are left out
  retry <id>                Runs a failed or cancelled job again
      --attempts <n>          with so many further attempts (5)
  retry-dead <type>         Runs all dead jobs of a type again, oldest first
      --attempts <n>          with so many further attempts each (5)
      --limit <n>             so many at most (all)
  cancel <id>               Ends a job. If it runs, its worker is told
  purge                     Deletes jobs that have ended, oldest first
      --state <state>         done, failed or cancelled; it has to be said
      --older-than <time>     that ended so long ago: 30s, 15m, 2h, 7d; it has to be said
      --limit <n>             so many at most (all)

Queues
  queues                    What waits in each queue, for how long, and how the last minutes were
  pause <queue>             Starts no more of its jobs; what runs goes on
  resume <queue>            Starts them again
  drain <queue>             Cancels all of its jobs that do not run just now
      --yes                   without asking first

Options of all commands
  --reason <text>           Why, for the audit trail
  --json                    Prints JSON, as the API answers it
  --help                    This

Each change is in the audit trail, as done by the system actor "command". A PGlite directory belongs to one
process: while the server runs on one, its jobs are looked after by the API (/docs, Jobs).

Examples
  bun run jobs list --state failed --since 2h
  bun run jobs retry-dead mail.send --attempts 3
  bun run jobs purge --state done --older-than 7d`;

const { positionals, values } = read();
const [command, target, ...surplus] = positionals;
if (values.help || command === undefined) {
  console.log(HELP);
  process.exit(values.help ? 0 : 1);
}

function read() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        name: { type: "string" },
        queue: { type: "string" },
        state: { type: "string" },
        since: { type: "string" },
        limit: { type: "string" },
        attempts: { type: "string" },
        "older-than": { type: "string" },
        yes: { type: "boolean" },
        reason: { type: "string" },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    // Its second sentence tells how to pass a word that begins with a dash, which nothing here does.
    const message = error instanceof Error ? error.message : String(error);
    return wrong(`${message.split(". ")[0]}.`);
  }
}

type Option = keyof typeof values;
interface Command {
  /** What it has to be told beside its name, as the help writes it. */
  takes?: "id" | "type" | "queue";
  options: readonly Option[];
  run(jobs: Jobs, ctx: Context): Promise<unknown>;
  /** For people; the answer of \`run\` as JSON otherwise. */
  print(answer: never): string;
}

const MAX_BATCH = 1000;
const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

const commands: Record<string, Command> = {
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
    run: (jobs, ctx) => jobs.get(ctx, id()),
    print: details,
  },
  retry: {
    takes: "id",
    options: ["attempts"],
    run: (jobs, ctx) => jobs.retry(ctx, id(), parsed(JobRetry, { attempts: number("attempts") }).attempts),
    print: ({ id, maxAttempts, attempt }: { id: string; maxAttempts: number; attempt: number }) =>
      `${id} runs again, with ${maxAttempts - attempt} further attempts.`,
  },
  "retry-dead": {
    takes: "type",
    options: ["attempts", "limit"],
    run: (jobs, ctx) =>
      inBatches((limit) => jobs.retryDead(ctx, name(), parsed(DeadJobsRetry, { attempts: number("attempts"), limit }))),
    print: ({ jobs }: Affected) => `${count(jobs, "job")} of ${target} run again.`,
  },
  cancel: {
    takes: "id",
    options: [],
    run: (jobs, ctx) => jobs.cancel(ctx, id()),
    print: ({ id }: { id: string }) => `${id} is cancelled.`,
  },
  purge: {
    options: ["state", "older-than", "limit"],
    run(jobs, ctx) {
      if (!values.state || !values["older-than"]) wrong("`purge` needs --state and --older-than.");
      const olderThanS = seconds("older-than");
      return inBatches((limit) => jobs.purge(ctx, parsed(JobsPurge, { state: values.state, olderThanS, limit })));
    },
    print: ({ jobs }: Affected) => `${count(jobs, "job")} deleted.`,
  },
  queues: {
    options: [],
    run: (jobs, ctx) => jobs.queues(ctx),
    print: (queues: Awaited<ReturnType<Jobs["queues"]>>) =>
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
          "WAIT p95": last.wait.count === 0 ? "–" : duration(last.wait.p95Ms),
          "RUN p95": last.run.count === 0 ? "–" : duration(last.run.p95Ms),
        })),
        "There are no jobs, and no queue is paused.",
      ),
  },
  pause: {
    takes: "queue",
    options: [],
    run: (jobs, ctx) => jobs.pause(ctx, name()),
    print: () => `The queue ${target} is paused.`,
  },
  resume: {
    takes: "queue",
    options: [],
    run: (jobs, ctx) => jobs.resume(ctx, name()),
    print: () => `The queue ${target} goes on.`,
  },
  drain: {
    takes: "queue",
    options: ["yes"],
    async run(jobs, ctx) {
      const queue = name();
      if (!values.yes) await agreed(`This cancels all jobs of the queue ${queue} that do not run just now.`);
      return jobs.drain(ctx, queue);
    },
    print: ({ jobs }: Affected) => `${count(jobs, "job")} of the queue ${target} cancelled.`,
  },
};

const chosen = Object.hasOwn(commands, command)
  ? (commands[command] as Command)
  : wrong(`There is no command "${command}".`);
if (chosen.takes && target === undefined) wrong(`\`${command}\` needs a <${chosen.takes}>.`);
const extra = chosen.takes ? surplus[0] : target;
if (extra !== undefined) wrong(`\`${command}\` does not take "${extra}".`);
for (const option of Object.keys(values) as Option[])
  if (option !== "json" && option !== "reason" && !chosen.options.includes(option))
    wrong(`\`${command}\` does not take --${option}.`);

const env = readEnv();
await withDb(env, async (db) => {
  const bus = await openBus(env, createConsoleLog({ level: "error", print: console.error }));
  try {
    const answer = await chosen.run(createJobs({ db, bus }), context());
    console.log(values.json ? JSON.stringify(answer ?? null, null, 2) : chosen.print(answer as never));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw error.code === "not_found" ? new Error(`There is no job ${target} in ${nameOf(env.database)}.`) : error;
  } finally {
    await bus.close();
  }
});

interface Affected {
  jobs: number;
  more: boolean;
}

/** By the limits of the API, one request after the other, until there is no more or as many as were asked for. */
async function inBatches(send: (limit: number) => Promise<Affected>): Promise<Affected> {
  let left = number("limit") ?? Number.POSITIVE_INFINITY;
  if (!(left >= 1)) wrong("--limit has to be a whole number from 1.");
  let jobs = 0;
  for (;;) {
    const done = await send(Math.min(left, MAX_BATCH));
    jobs += done.jobs;
    left -= done.jobs;
    if (!done.more || left <= 0 || done.jobs === 0) return { jobs, more: done.more };
  }
}

async function list(jobs: Jobs, ctx: Context) {
  const filters: Filter[] = [];
  for (const field of ["name", "queue", "state"] as const) {
    const value = values[field];
    if (value !== undefined)
      filters.push({ field, op: "eq", value: parsed(jobList.filter[field].schema, value, field) });
  }
  if (values.since !== undefined) filters.push({ field: "createdAt", op: "gte", value: since(values.since) });
  const most = number("limit") ?? 20;
  if (!(most >= 1)) wrong("--limit has to be a whole number from 1.");
  const input: ListInput = {
    limit: 100,
    sort: { field: "id", descending: true },
    after: null,
    filters,
    fields: null,
    count: false,
  };
  const found: Awaited<ReturnType<Jobs["list"]>>["items"] = [];
  for (;;) {
    const page = await jobs.list(ctx, input);
    found.push(...page.items);
    const last = found.at(-1)?.id;
    const next = page.next ?? (page.more && last !== undefined ? { value: last, id: last } : null);
    if (!next || found.length >= most) return found.slice(0, most);
    input.after = next;
  }
}

/** Who gives a command is not known: it is the system that acts. */
function context(): Context {
  const actor = { type: "system", id: "command" } as const;
  const by = {
    requestId: null,
    traceId: null,
    now: toInstant(systemClock.now()),
    signal: new AbortController().signal,
  };
  return inward(by, { actor, ability: abilities.abilityFor(actor), reason: values.reason?.slice(0, 500) ?? null });
}

function id(): string {
  const result = JobParams.safeParse({ id: target });
  return result.success ? result.data.id : wrong(`"${target}" is no id of a job.`);
}
function name(): string {
  const result = NameParams.safeParse({ name: target });
  return result.success ? result.data.name : wrong(`"${target}" is no name of a ${chosen.takes}.`);
}
function number(option: "limit" | "attempts"): number | undefined {
  const text = values[option];
  if (text === undefined) return undefined;
  return /^\d{1,9}$/.test(text) ? Number(text) : wrong(`--${option} has to be a whole number.`);
}
function seconds(option: "older-than"): number {
  const [, n, unit] = /^(\d{1,6})([smhd])$/.exec(values[option] ?? "") ?? [];
  if (!n || !unit) return wrong(`--${option} has to be a time such as 30s, 15m, 2h or 7d.`);
  return Number(n) * (UNITS[unit] as number);
}
function since(text: string): string {
  const [, n, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = n && unit ? systemClock.now() - Number(n) * (UNITS[unit] as number) * 1000 : Date.parse(text);
  return Number.isNaN(ms) ? wrong("--since has to be a time such as 2h, or 2026-01-31T09:30:00.000Z.") : toInstant(ms);
}

function parsed<S extends z.ZodType>(schema: S, value: unknown, what?: string): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  return wrong(`--${what ?? String(issue?.path[0] ?? "")} is not as expected: ${issue?.message}.`);
}

function wrong(message: string): never {
  return fail(`${message} \`bun run jobs --help\` tells all.`);
}

async function agreed(what: string): Promise<void> {
  if (!process.stdin.isTTY) fail("Nothing was changed: pass --yes where nobody can be asked.");
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`${what} Go on? (y/N) `);
  terminal.close();
  if (answer.trim().toLowerCase() !== "y") fail("Nothing was changed.");
}
