/** The statements of the store: constants of this module, so that each is printed and prepared once. */
import { sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import { value } from "../db/placeholders.ts";
import type { Builders, Dialect } from "../db/port.ts";
import { among, few, rowsOf } from "./rows.ts";

const ph = sql.placeholder;

/** Those that are due become waiting, oldest first. Answers whether there was one. */
const promote =
  (dialect: Dialect) =>
  (q: Builders, { jobs }: Tables) =>
    q
      .update(jobs)
      .set({ state: sql`'waiting'`, sentAt: sql`null` })
      .where(
        sql`id in (select j.id from jobs j where j.state in ('delayed', 'retrying') and j.run_at <= ${value("now", jobs.runAt)}
        order by j.run_at limit ${ph("limit")}${dialect === "pg" ? sql` for update skip locked` : sql``})`,
      )
      .returning({ id: jobs.id });

export const nextDue = (q: Builders, { jobs }: Tables) =>
  q
    .select({ runAt: jobs.runAt })
    .from(jobs)
    .where(sql`${jobs.state} in ('delayed', 'retrying')`)
    .orderBy(jobs.runAt)
    .limit(1);

const expire =
  (dialect: Dialect) =>
  (q: Builders, { jobs }: Tables) => {
    const late = sql`deadline_at <= ${value("now", jobs.deadlineAt)}`;
    // PostgreSQL takes what stands in a `case` for text, unless it is told.
    const until = (name: string) => sql`${value(name, jobs.purgeAt)}${dialect === "pg" ? sql`::timestamptz` : sql``}`;
    const error = (code: string, message: string) =>
      dialect === "pg"
        ? sql`jsonb_build_object('code', '${sql.raw(code)}', 'message', '${sql.raw(message)}', 'attempt', attempt)`
        : sql`json_object('code', '${sql.raw(code)}', 'message', '${sql.raw(message)}', 'attempt', attempt)`;
    return q
      .update(jobs)
      .set({
        state: sql`case when ${late} then 'failed' else 'cancelled' end`,
        error: sql`case when ${late} then ${error("deadline", "Its deadline passed.")} else ${error("expired", "It waited too long.")} end`,
        finishedAt: sql`${value("now", jobs.finishedAt)}`,
        purgeAt: sql`case when ${late} then ${until("deadUntil")} else ${until("cancelledUntil")} end`,
        uniqueKey: sql`null`,
      })
      .where(
        sql`id in (select j.id from jobs j where j.expires_at <= ${value("now", jobs.expiresAt)}
        and j.state in ('waiting', 'delayed', 'retrying') limit ${ph("limit")}${dialect === "pg" ? sql` for update skip locked` : sql``})`,
      )
      .returning({
        id: jobs.id,
        name: jobs.name,
        queue: jobs.queue,
        attempt: jobs.attempt,
        state: jobs.state,
        error: jobs.error,
      });
  };

const progress =
  (dialect: Dialect) =>
  (q: Builders, { jobs }: Tables) =>
    q
      .update(jobs)
      .set({ progress: sql`r.value` })
      .from(known[dialect].values.from)
      .where(
        sql`${few(dialect, sql`r.id`)} and jobs.id = r.id and jobs.state = 'active' and jobs.attempt = r.attempt and jobs.worker_id = ${ph("workerId")}`,
      )
      .returning({ id: jobs.id });

export const register = (q: Builders, { jobWorkers }: Tables) =>
  q.insert(jobWorkers).values({
    id: ph("id"),
    createdAt: ph("now"),
    seenAt: ph("now"),
    names: ph("names"),
    concurrency: ph("concurrency"),
    dispatch: ph("dispatch"),
  } as never);

export const touch = (q: Builders, { jobWorkers }: Tables) =>
  q
    .update(jobWorkers)
    .set({ seenAt: sql`${value("now", jobWorkers.seenAt)}` })
    .where(sql`id = ${ph("id")}`)
    .returning({ id: jobWorkers.id });

export const held = (q: Builders, { jobs }: Tables) =>
  q
    .select({ id: jobs.id, attempt: jobs.attempt })
    .from(jobs)
    .where(sql`${jobs.workerId} = ${ph("id")} and ${jobs.state} = 'active'`);

export const leave = (q: Builders, { jobWorkers }: Tables) => q.delete(jobWorkers).where(sql`id = ${ph("id")}`);

export const bury = (q: Builders, { jobWorkers }: Tables) =>
  q
    .delete(jobWorkers)
    .where(sql`seen_at < ${value("before", jobWorkers.seenAt)} and id <> ${ph("self")}`)
    .returning({ id: jobWorkers.id });

/** Active jobs that nobody holds. A claim that commits after its worker was found dead is among them, so none is left behind. */
export const orphans = (q: Builders, { jobs }: Tables) =>
  q
    .select({
      id: jobs.id,
      name: jobs.name,
      queue: jobs.queue,
      attempt: jobs.attempt,
      maxAttempts: jobs.maxAttempts,
      workerId: jobs.workerId,
    })
    .from(jobs)
    .where(sql`${jobs.state} = 'active' and not exists (select 1 from job_workers w where w.id = ${jobs.workerId})`)
    .limit(ph("limit"));

/**
 * Waiting jobs of a name that no carrier was given, or which one has had for long without a worker asking for them. Only the first of a
 * name are looked at: the carrier holds no more, the record keeps the order of the rest, and a look reads no more rows when many wait.
 */
const unsent =
  (dialect: Dialect) =>
  (q: Builders, { jobs }: Tables) => {
    const open = (j: string) =>
      sql`(${sql.raw(j)}.sent_at is null or ${sql.raw(j)}.sent_at < ${value("before", jobs.sentAt)})`;
    return q
      .update(jobs)
      .set({ sentAt: sql`${value("now", jobs.sentAt)}` })
      .where(
        sql`id in (select j.id from jobs j where j.id in (
          select w.id from (
            select f.id, f.rank, f.sent_at from jobs f
            where f.state = 'waiting' and f.name = ${ph("name")} and f.input_version <= ${ph("version")}
            order by f.rank, f.id limit ${ph("window")}
          ) w where ${open("w")} and ${few(dialect, sql`w.id`)} order by w.rank, w.id limit ${ph("limit")}
        ) and j.state = 'waiting' and ${open("j")}
        and not exists (select 1 from job_queues p where p.id = ${ph("queue")} and p.paused_at is not null)
        ${dialect === "pg" ? sql`for update of j skip locked` : sql``})`,
      )
      .returning({ id: jobs.id, name: jobs.name, queue: jobs.queue, rank: jobs.rank, attempt: jobs.attempt });
  };

/** By the ids alone, also while PostgreSQL does not know yet how many wait. */
const unsend =
  (dialect: Dialect) =>
  (q: Builders, { jobs }: Tables) =>
    q
      .update(jobs)
      .set({ sentAt: sql`${value("sentAt", jobs.sentAt)}` })
      .where(sql`${among(dialect, sql`id`, "ids")} and coalesce(state, '') = 'waiting'`);

/** Without the lock of a read beside it PostgreSQL could delete what was just brought back to life: the state is asked again. */
const purge =
  (dialect: Dialect) =>
  (q: Builders, { jobs }: Tables) =>
    q
      .delete(jobs)
      .where(
        sql`id in (select j.id from jobs j where j.purge_at <= ${value("now", jobs.purgeAt)} limit ${ph("limit")}${dialect === "pg" ? sql` for update skip locked` : sql``})
        and state in ('done', 'failed', 'cancelled')`,
      )
      .returning({ id: jobs.id });

const statements = (dialect: Dialect) => ({
  values: rowsOf(dialect, { id: "text", attempt: "int", value: "json" }),
  promote: promote(dialect),
  expire: expire(dialect),
  progress: progress(dialect),
  unsent: unsent(dialect),
  unsend: unsend(dialect),
  purge: purge(dialect),
});
export const known = { pg: statements("pg"), sqlite: statements("sqlite") };
