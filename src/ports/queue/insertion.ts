/** The statements that insert jobs, and how one meets another of its key. */
import { type SQL, sql } from "drizzle-orm/sql";
import { getTableColumns } from "drizzle-orm/utils";
import type { Tables } from "../../../db/tables.ts";
import { columnName, textOf, value } from "../db/placeholders.ts";
import type { Bound, Builders, Dialect, Tx } from "../db/port.ts";
import type { Common, NewJob } from "./enqueue.ts";
import { firstOf } from "./payload.ts";
import type { Unique } from "./port.ts";
import { rowsOf } from "./rows.ts";

export const insertion = (tx: Pick<Tx, "prepare">, row: NewJob, mode: Unique["mode"] | null): Bound<{ id: string }[]> =>
  tx.prepare(mode === null ? insert : unique[mode])({ ...row }) as Bound<{ id: string }[]>;

/** What the jobs of one call have in common. */
const common = [
  "createdAt",
  "name",
  "queue",
  "state",
  "rank",
  "runAt",
  "inputVersion",
  "maxAttempts",
  "expiresAt",
  "deadlineAt",
  "actor",
  "traceId",
  "requestId",
  "scheduleName",
] as const;
const names = ["id", ...common, "groupKey", "uniqueKey", "uniqueUntil"] as const;

const values = ({ jobs }: Tables) => ({
  ...(Object.fromEntries(names.map((name) => [name, sql.placeholder(name)])) as Record<(typeof names)[number], never>),
  // Text already: the column would encode it a second time.
  input: textOf("input", jobs.input),
});

const inserting = (q: Builders, tables: Tables) => q.insert(tables.jobs).values(values(tables));

const insert = (q: Builders, tables: Tables) => inserting(q, tables).returning({ id: tables.jobs.id });

const key = ({ jobs }: Tables) => [jobs.name, jobs.uniqueKey];
const held = sql`unique_key is not null`;

/** Everything that is said of the new one, but for its time. */
const said = [
  "queue",
  "rank",
  "input",
  "inputVersion",
  "groupKey",
  "uniqueUntil",
  "deadlineAt",
  "actor",
  "traceId",
  "requestId",
] as const;

/** A job that was replaced keeps its id, so that whoever waits for it is answered: the run of a schedule, too. */
const over = (tables: Tables, set: Record<string, SQL>) => {
  const { jobs } = tables;
  return {
    target: key(tables),
    targetWhere: held,
    set: {
      ...taken(...said),
      // One that was tried already, and was not made to be replaced, is tried as often again.
      maxAttempts: sql`jobs.attempt + excluded.max_attempts`,
      scheduleName: sql`coalesce(excluded.schedule_name, jobs.schedule_name)`,
      ...set,
    },
    setWhere: sql`${jobs.state} in ('waiting', 'delayed')`,
  };
};

const taken = (...names: string[]): Record<string, SQL> =>
  Object.fromEntries(names.map((name) => [name, sql.raw(`excluded.${columnName(name)}`)]));

/** The time to live counts from when it is due, as ever, and where that was before, from now: what is given has it whole. */
const expiresAt: Record<Dialect, SQL> = {
  pg: sql`least(excluded.deadline_at, greatest(jobs.run_at, excluded.created_at) + ${sql.placeholder("ttlMs")}::float8 * interval '1 millisecond')`,
  sqlite: sql`(select min(coalesce(e.at, excluded.deadline_at), coalesce(excluded.deadline_at, e.at)) from (
    select strftime('%Y-%m-%dT%H:%M:%fZ', max(jobs.run_at, excluded.created_at), (${sql.placeholder("ttlMs")} / 1000.0) || ' seconds') as at
  ) e)`,
};

/** As the sweep asks it: one that is to be ended, and has not been yet. */
const expired = (now: SQL) => sql`(jobs.state in ('waiting', 'delayed', 'retrying') and jobs.expires_at <= ${now})`;

/**
 * One that has expired would never run, so its row becomes that of the new one. What is looked for first could be left to the conflict, which
 * would lock the row: whoever skips would then wait for others that do, until they have committed.
 */
function skip(q: Builders, tables: Tables) {
  const { jobs } = tables;
  const given: Record<string, SQL> = { input: values(tables).input, attempt: sql`0` };
  for (const name of names) given[name] = value(name, jobs[name]);
  const columns = Object.keys(getTableColumns(jobs));
  const selected = columns.map((name) => given[name] ?? sql`null`);
  const other = sql`select 1 from jobs where jobs.name = ${sql.placeholder("name")} and jobs.unique_key = ${sql.placeholder("uniqueKey")}`;
  return q
    .insert(jobs)
    .select(
      sql`select ${sql.join(selected, sql`, `)} where not exists (${other} and ${expired(value("createdAt", jobs.createdAt))} is not true)`,
    )
    .onConflictDoUpdate({
      target: key(tables),
      targetWhere: held,
      set: taken(...columns),
      setWhere: expired(sql`excluded.created_at`),
    })
    .returning({ id: jobs.id });
}

const unique = {
  skip,
  replace: (q: Builders, tables: Tables, dialect: Dialect) =>
    inserting(q, tables)
      .onConflictDoUpdate(over(tables, { expiresAt: expiresAt[dialect] }))
      .returning({ id: tables.jobs.id }),
  debounce: (q: Builders, tables: Tables) =>
    inserting(q, tables)
      .onConflictDoUpdate(over(tables, taken("runAt", "state", "expiresAt", "sentAt")))
      .returning({ id: tables.jobs.id }),
};

/** The most in one statement. */
const BATCH = 1000;

type Own = Pick<NewJob, "id" | "input" | "groupKey">;
const rows = (dialect: Dialect) => rowsOf(dialect, { id: "text", input: "json", group_key: "string" });
const own = { pg: rows("pg"), sqlite: rows("sqlite") };

const insertMany =
  (dialect: Dialect) =>
  (q: Builders, { jobs }: Tables) => {
    const given: Record<string, SQL> = {
      id: sql`r.id`,
      input: sql`r.input`,
      groupKey: sql`r.group_key`,
      attempt: sql`0`,
    };
    for (const name of common) given[name] = value(name, jobs[name]);
    const selected = Object.keys(getTableColumns(jobs)).map((name) => given[name] ?? sql`null`);
    return q.insert(jobs).select(sql`select ${sql.join(selected, sql`, `)} from ${own[dialect].from}`);
  };
const many = { pg: insertMany("pg"), sqlite: insertMany("sqlite") };

/** The statements that insert jobs of one call which are not unique. */
export function insertions(tx: Pick<Tx, "prepare">, dialect: Dialect, shared: Common, jobs: readonly Own[]): Bound[] {
  const statements: Bound[] = [];
  for (let left = jobs; left.length > 0; ) {
    const batch = firstOf(left, BATCH, ({ input }) => input);
    const cells = batch.map(({ id, input, groupKey }) => ({ id, input, group_key: groupKey }));
    statements.push(tx.prepare(many[dialect])({ ...shared, ...own[dialect].bind(cells) }));
    left = left.slice(batch.length);
  }
  return statements;
}
