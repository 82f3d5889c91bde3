/** What operators read of the queue beside single jobs. */
import { type SQL, sql } from "drizzle-orm/sql";
import { getTableColumns } from "drizzle-orm/utils";
import type { Tables } from "../../../db/tables.ts";
import { bucketEdges, buckets } from "../../../db/tables-queue.ts";
import type { Instant } from "../../core/clock.ts";
import type { ListInput, Page } from "../../core/page.ts";
import { pages } from "../../ports/db/page.ts";
import { value } from "../../ports/db/placeholders.ts";
import type { Builders, Db, Reads } from "../../ports/db/port.ts";

type Minute = Tables["jobMinutes"]["$inferSelect"];

const counters = ["done", "retried", "failed", "cancelled"] as const;

/** How long something took: of `count` times, in milliseconds. Percentiles are estimated from the buckets that are counted. */
export interface Times {
  count: number;
  meanMs: number;
  maxMs: number;
  p50Ms: number;
  p95Ms: number;
}

export interface Rates {
  done: number;
  /** Attempts that failed and were given another. */
  retried: number;
  /** Jobs that died. */
  failed: number;
  cancelled: number;
  /** From due to start. */
  wait: Times;
  /** From start to end. */
  run: Times;
}

/** Sums of several minutes, or one minute as it is. */
type Counted = Pick<Minute, Exclude<keyof Minute, "id" | "createdAt" | "minute" | "queue" | "name">>;

const sumsOf = ({ jobMinutes }: Tables) => {
  const {
    id: _id,
    createdAt: _at,
    minute: _minute,
    queue: _queue,
    name: _name,
    ...counted
  } = getTableColumns(jobMinutes);
  const sums = Object.entries(counted).map(([key, column]): [string, SQL] => [
    key,
    (key.endsWith("MaxMs") ? sql`max(${column})` : sql`sum(${column})`).mapWith(Number) as SQL,
  ]);
  return Object.fromEntries(sums) as Record<keyof Counted, SQL<number>>;
};

const recent = (q: Builders, tables: Tables) =>
  q
    .select({ queue: tables.jobMinutes.queue, name: tables.jobMinutes.name, ...sumsOf(tables) })
    .from(tables.jobMinutes)
    .where(sql`${tables.jobMinutes.minute} >= ${value("since", tables.jobMinutes.minute)}`)
    .groupBy(tables.jobMinutes.queue, tables.jobMinutes.name);

export interface QueueMinute extends Rates {
  id: string;
  minute: Instant;
  name: string;
}

export function createJobsStore(db: Db) {
  const columns = ({ jobMinutes }: Tables) => {
    const { createdAt: _at, ...rest } = getTableColumns(jobMinutes);
    return rest;
  };
  const minutes = pages<Omit<Minute, "createdAt">>(db, {
    columns,
    from: (q, { jobMinutes }, selected) => q.select(selected as ReturnType<typeof columns>).from(jobMinutes) as never,
  });
  const ofQueue = sql`${db.tables.jobMinutes.queue} = ${value("queue", db.tables.jobMinutes.queue)}`;

  return {
    /** By queue and name. */
    async ratesSince(
      since: Instant,
      reads: Reads,
    ): Promise<(Rates & { queue: string; name: string; counted: Counted })[]> {
      const rows = await db.all(db.prepare(recent)({ since }), reads);
      return rows.map(({ queue, name, ...counted }) => ({ queue, name, counted, ...ratesOf(counted) }));
    },
    async minutes(queue: string, input: ListInput, reads: Reads): Promise<Page<QueueMinute>> {
      const page = await minutes(input, { key: "queue", sql: ofQueue, values: { queue } }, reads);
      const items = page.items.map(({ id, minute, name, ...counted }) => ({ id, minute, name, ...ratesOf(counted) }));
      return { ...page, items };
    },
  };
}

export function ratesOf(counted: Counted): Rates {
  const [done, retried, failed, cancelled] = counters.map((name) => counted[name]) as [number, number, number, number];
  return { done, retried, failed, cancelled, wait: timesOf(counted, "wait"), run: timesOf(counted, "run") };
}

export function addUp(all: readonly Counted[]): Counted {
  const sum = Object.fromEntries(["waitMs", "runMs", ...counters].map((name) => [name, 0])) as unknown as Counted;
  for (const one of all)
    for (const [name, n] of Object.entries(one) as [keyof Counted, number][])
      sum[name] = name.endsWith("MaxMs") ? Math.max(sum[name] ?? 0, n) : (sum[name] ?? 0) + n;
  return sum;
}

function timesOf(counted: Counted, kind: "wait" | "run"): Times {
  const sizes = buckets.map((bucket) => counted[`${kind}${bucket}`] ?? 0);
  const count = sizes.reduce((sum, n) => sum + n, 0);
  const maxMs = counted[`${kind}MaxMs`] ?? 0;
  const at = (share: number) => percentile(sizes, count, maxMs, share);
  const meanMs = count === 0 ? 0 : round((counted[`${kind}Ms`] ?? 0) / count);
  return { count, meanMs, maxMs: round(maxMs), p50Ms: at(0.5), p95Ms: at(0.95) };
}

/** Within a bucket times are taken to be spread evenly. None is above the largest that was seen. */
function percentile(sizes: readonly number[], count: number, maxMs: number, share: number): number {
  let left = count * share;
  for (const [i, n] of sizes.entries()) {
    if (left > n || n === 0) {
      left -= n;
      continue;
    }
    const from = i === 0 ? 0 : (bucketEdges[i - 1] as number);
    const to = Math.min(bucketEdges[i] ?? maxMs, maxMs);
    return round(Math.min(maxMs, from + Math.max(0, to - from) * (left / n)));
  }
  return 0;
}

const round = (ms: number) => Math.round(ms * 10) / 10;
