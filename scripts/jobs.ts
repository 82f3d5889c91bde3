/** `jobs <command>`: looks after jobs and queues by the verbs of the API, in the database of the environment. `jobs --help` tells all. */
import process from "node:process";
import { AppError } from "../src/core/error.ts";
import { createQueues } from "../src/modules/jobs/queues.ts";
import { createJobs } from "../src/modules/jobs/service.ts";
import { createConsoleLog } from "../src/ports/log/console.ts";
import { openBus } from "../src/runtimes/open-bus.ts";
import { nameOf } from "../src/runtimes/open-db.ts";
import { readArgs } from "./args.ts";
import { commandContext } from "./context.ts";
import { commands } from "./jobs-commands.ts";
import { jobInput, type Option, options, wrong } from "./jobs-input.ts";
import { readEnv, withDb } from "./open.ts";

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
  watch                     Prints what happens to jobs, in whatever process, until Ctrl+C
      --name <type>           to those of this type

Queues
  queues                    What waits in each queue, for how long, and how the last minutes were
  rates <queue>             What was done, minute by minute and type by type, newest first, for up to 14 days
      --name <type>           of this type
      --since <time>          since then: 30s, 15m, 2h, 7d ago, or 2026-01-31T09:30:00.000Z
      --limit <n>             how many lines at most (60)
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

const { positionals, values } = readArgs(options, wrong);
const [command, target, ...surplus] = positionals;
if (values.help || command === undefined) {
  console.log(HELP);
  process.exit(values.help ? 0 : 1);
}

const chosen = (Object.hasOwn(commands, command) && commands[command]) || wrong(`There is no command "${command}".`);
if (chosen.takes && target === undefined) wrong(`\`${command}\` needs a <${chosen.takes}>.`);
const extra = chosen.takes ? surplus[0] : target;
if (extra !== undefined) wrong(`\`${command}\` does not take "${extra}".`);
for (const option of Object.keys(values) as Option[])
  if (option !== "json" && option !== "reason" && !chosen.options.includes(option))
    wrong(`\`${command}\` does not take --${option}.`);

const env = readEnv();
if ("follow" in chosen) {
  await chosen.follow(env, jobInput(values, target));
  process.exit(0);
}
await withDb(env, async (db) => {
  const bus = await openBus(env, createConsoleLog({ level: "error", print: console.error }));
  const input = jobInput(values, target);
  const ctx = commandContext({ reason: values.reason?.slice(0, 500) });
  try {
    const answer = await chosen.run({ jobs: createJobs({ db, bus }), queues: createQueues({ db, bus }) }, ctx, input);
    console.log(values.json ? JSON.stringify(answer ?? null, null, 2) : chosen.print(answer as never, input));
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw error.code === "not_found" ? new Error(`There is no job ${target} in ${nameOf(env.database)}.`) : error;
  } finally {
    await bus.close();
  }
});
