/** How due jobs become active: what both dialects have in common. Each statement makes rows that wait this worker's, in one step. */
import { type SQL, sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import { value } from "../db/placeholders.ts";
import type { Builders, Db } from "../db/port.ts";
import type { ClaimedJob } from "./port.ts";

/** A job type that this worker knows, and how many of it fit. */
export interface Slot {
  name: string;
  queue: string;
  free: number;
  /** The version of its input that this worker knows. A newer one is left to those who do, as a name that is not known. */
  version: number;
  /** How many of one group may run at once, over all workers; null: any number. */
  perGroup: number | null;
  /** How many of one group are taken at once, for types with a rate. */
  perClaim?: number;
  /** Groups that are left out: their rate is used up. */
  full?: readonly string[];
}

export interface ClaimOptions {
  workerId: string;
  now: string;
  /** The most in all. */
  total: number;
  /** Only these jobs, which a carrier brought. It brings none of a type that is claimed by groups. */
  ids?: readonly string[];
}

export type Claim = (slots: readonly Slot[], options: ClaimOptions) => Promise<ClaimedJob[]>;

export const ph = sql.placeholder;

/** From rows `c` that were chosen, where such are given. */
export function claiming(q: Builders, { jobs }: Tables, which: SQL, chosen?: SQL) {
  const update = q.update(jobs).set({
    state: sql`'active'`,
    attempt: sql`attempt + 1`,
    workerId: sql`${ph("workerId")}`,
    startedAt: sql`${value("now", jobs.startedAt)}`,
    uniqueKey: sql`case when unique_until = 'start' then null else unique_key end`,
  });
  // The builder with a `from` has a type of its own; what it answers is the same.
  const from = chosen ? (update.from(chosen) as unknown as typeof update) : update;
  return from.where(which).returning({
    id: jobs.id,
    name: jobs.name,
    queue: jobs.queue,
    rank: jobs.rank,
    runAt: jobs.runAt,
    input: jobs.input,
    inputVersion: jobs.inputVersion,
    attempt: jobs.attempt,
    maxAttempts: jobs.maxAttempts,
    groupKey: jobs.groupKey,
    deadlineAt: jobs.deadlineAt,
    actor: jobs.actor,
    traceId: jobs.traceId,
    requestId: jobs.requestId,
    scheduleName: jobs.scheduleName,
    place: chosen ? sql<string | null>`jobs.ctid::text` : sql<string | null>`null`,
  });
}

export const running = (queue: SQL) =>
  sql`not exists (select 1 from job_queues p where p.id = ${queue} and p.paused_at is not null)`;
export const alive = ({ jobs }: Tables, j: string) =>
  sql`(${sql.raw(j)}.expires_at is null or ${sql.raw(j)}.expires_at > ${value("now", jobs.expiresAt)})`;

export type Ranked = ClaimedJob & { rank: number };

/** Whether of a type all were taken that may be: then more of it may wait, however many places are left for others. */
export function fills(jobs: readonly ClaimedJob[], slots: readonly Slot[]): boolean {
  const taken = new Map<string, number>();
  for (const { name } of jobs) taken.set(name, (taken.get(name) ?? 0) + 1);
  return slots.some(({ name, free, perClaim }) => (taken.get(name) ?? 0) >= Math.min(free, perClaim ?? free));
}

/** An update answers its rows in any order. */
export const inOrder = (jobs: Ranked[]): ClaimedJob[] =>
  jobs.sort((a, b) => a.rank - b.rank || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));

const waitingOf = (names: SQL) => (q: Builders) =>
  q
    .select({ name: sql<string>`n.value` })
    .from(names)
    .where(sql`exists (select 1 from jobs j where j.state = 'waiting' and j.name = n.value)`);
const waiting = {
  pg: waitingOf(sql`json_array_elements_text(${ph("names")}::text::json) as n(value)`),
  sqlite: waitingOf(sql`json_each(${ph("names")}) as n`),
};

/** Those of these types that have waiting jobs; for what goes type by type. */
export async function withWork<T extends { name: string }>(db: Db, types: readonly T[]): Promise<T[]> {
  const names = JSON.stringify(types.map(({ name }) => name));
  const found = await db.all(db.prepare(waiting[db.dialect])({ names }), { fresh: true });
  const busy = new Set(found.map(({ name }) => name));
  return types.filter(({ name }) => busy.has(name));
}
