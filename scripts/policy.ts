/** `policy <command>`: why somebody may do something, or may not. `policy --help` tells all. */
import process from "node:process";
import { and, eq, sql } from "drizzle-orm";
import { tablesOf } from "../db/tables.ts";
import { AppError } from "../src/core/error.ts";
import { createExplainer } from "../src/modules/policy/explain.ts";
import { createRulebook } from "../src/modules/policy/rulebook.ts";
import { PolicyQuestion } from "../src/modules/policy/schema.ts";
import { createRuleStore } from "../src/modules/policy/store.ts";
import { userBase } from "../src/modules/users/store.ts";
import type { Subject } from "../src/policy/ability.ts";
import { linesOf } from "../src/policy/explain.ts";
import { nameable } from "../src/policy/subjects.ts";
import type { Builders, Db } from "../src/ports/db/port.ts";
import { createConsoleLog } from "../src/ports/log/console.ts";
import { abilities, subjects } from "../src/rules.ts";
import { flag, readArgs, text, type Wrong, wrongUse } from "./args.ts";
import { readEnv, withDb } from "./open.ts";

const HELP = `The policy: explains decisions, and tells what rules can be about.

Usage: bun run policy <command> [options]

In the database that DATABASE_URL names
  explain                   Whether somebody may do something, which rule decides, and what would have to hold
      --user <who>            their id or e-mail address; without it, somebody who is not logged in
      --key <id>              the API key that they show; without --user, a key that acts for itself
      --role <role>           the role of a key that acts for itself
      --action <action>       create, list, read, update, delete or manage; it has to be said
      --subject <subject>     such as User; it has to be said
      --row <id>              the row that it would be done to; without it, the subject in general
      --field <name>          one field of it; can be given several times
      --json                  prints what POST /v1/policy/explain answers

Without a database
  subjects                  The subjects, with the columns that conditions look at and the fields that rules name

  --help                    This

Ends with 0 when it is allowed, with 1 when it is refused or depends on the row, with 2 when the command cannot be done.

Examples
  bun run policy explain --user ada@example.com --action update --subject User --row user_01kfyb0m7ve4z9q2x8c5h3n6t1
  bun run policy explain --action list --subject User
  bun run policy subjects`;

const wrong: Wrong = wrongUse("policy", 2);
const { values: given, positionals } = readArgs(
  {
    user: text,
    key: text,
    role: text,
    action: text,
    subject: text,
    row: text,
    field: { ...text, multiple: true },
    json: flag,
    help: flag,
  },
  wrong,
);
const [command] = positionals;
if (given.help || command === undefined) console.log(HELP);
else if (command === "subjects") tellSubjects();
else if (command === "explain") await withDb(readEnv(), (db) => explain(db).catch(cannot), { exitCode: 2 });
else wrong(`There is no command "${command}".`);

async function explain(db: Db): Promise<void> {
  const { user, key, role, action, subject, row, field } = given;
  if (!action || !subject) return wrong("Say --action and --subject.");
  const userId = user === undefined ? null : await idOf(db, user);
  const whom = { userId, ...(key !== undefined && { apiKeyId: key }), ...(role !== undefined && { role }) };
  const asked = { ...whom, action, subject, ...(row !== undefined && { id: row }), ...(field && { fields: field }) };
  const question = PolicyQuestion.safeParse(asked);
  if (!question.success) {
    const [issue] = question.error.issues;
    return wrong(`${String(issue?.path[0] ?? "")}: ${issue?.message}`);
  }
  const log = createConsoleLog({ level: "error" });
  const rulebook = createRulebook({ store: createRuleStore(db), subjects, log });
  const answer = await createExplainer({ db, abilities, rulebook, subjects })(question.data);
  const lines = () => answer.decisions.flatMap((decision) => linesOf(subject as Subject, decision));
  console.log(given.json ? JSON.stringify(answer, null, 2) : lines().join("\n"));
  process.exitCode = answer.allowed ? 0 : 1;
}

async function idOf(db: Db, user: string): Promise<string> {
  if (!user.includes("@")) return user;
  const byEmail = (q: Builders, tables: Db["tables"]) =>
    q
      .select({ id: tables.users.id })
      .from(tables.users)
      .where(and(eq(tables.users.email, sql.placeholder("email")), userBase(tables)));
  const [found] = await db.all(db.prepare(byEmail)({ email: user.toLowerCase() }), { fresh: true });
  return found?.id ?? wrong(`Nobody has the address ${user}.`);
}

function tellSubjects(): void {
  for (const [name, spec] of Object.entries(subjects)) {
    console.log(name);
    if (spec.columns) console.log(`  conditions   ${Object.keys(spec.columns(tablesOf("pg"))).join(", ")}`);
    if (spec.fields.length > 0) console.log(`  fields       ${nameable(spec).join(", ")}`);
    console.log(`  row by row   ${spec.judged.join(", ") || "no action"}`);
  }
}

function cannot(error: unknown): never {
  if (!(error instanceof AppError)) throw error;
  const [fault] = error.errors ?? [];
  console.error(fault ? `${fault.pointer.slice(1)} ${fault.detail}` : error.message);
  process.exit(2);
}
