/** What was counted of the queues by the minute, as operators read it. */
import { type SQL, sql } from "drizzle-orm/sql";
import { getTableColumns } from "drizzle-orm/utils";
import type { Tables } from "../../../db/tables.ts";
import type { Instant } from "../../core/clock.ts";
import type { ListInput, Page } from "../../core/page.ts";
import { pages } from "../../ports/db/page.ts";
import { value } from "../../ports/db/placeholders.ts";
import type { Builders, Db, Reads } from "../../ports/db/port.ts";
import { type Counts, largest, type Minute, summed } from "../../ports/queue/tally.ts";
import { type Rates, ratesOf } from "./rates.ts";

const sumsOf = ({ jobMinutes }: Tables) =>
  Object.fromEntries([
    ...summed.map((name) => [name, sql`sum(${jobMinutes[name]})`.mapWith(Number)]),
    ...largest.map((name) => [name, sql`max(${jobMinutes[name]})`.mapWith(Number)]),
  ]) as Record<keyof Counts, SQL<number>>;

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
  const minutes = pages<Minute>(db, {
    columns,
    from: (q, { jobMinutes }, selected) => q.select(selected as ReturnType<typeof columns>).from(jobMinutes) as never,
  });
  const ofQueue = sql`${db.tables.jobMinutes.queue} = ${value("queue", db.tables.jobMinutes.queue)}`;

  return {
    /** By queue and name. */
    countsSince: (since: Instant, reads: Reads): Promise<(Counts & { queue: string; name: string })[]> =>
      db.all(db.prepare(recent)({ since }), reads),
    async minutes(queue: string, input: ListInput, reads: Reads): Promise<Page<QueueMinute>> {
      const page = await minutes(input, { key: "queue", sql: ofQueue, values: { queue } }, reads);
      const items = page.items.map(({ id, minute, name, ...counts }) => ({ id, minute, name, ...ratesOf(counts) }));
      return { ...page, items };
    },
  };
}
