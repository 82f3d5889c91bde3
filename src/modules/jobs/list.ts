/**
 * The list of jobs, in a table of which nearly all rows are done and have no index but their id's. States other than `done` have indexes
 * that hold them alone, and are looked up there. Every other list looks at a window of so many jobs by id, so that a page costs the same
 * however rare what it looks for is: it may be short, or empty, and still have a next one.
 */
import type { Column } from "drizzle-orm/column";
import { and, asc, desc, eq, gt, gte, lt, lte, type SQL, sql } from "drizzle-orm/sql";
import { fromUUID } from "typeid-js";
import type { Tables } from "../../../db/tables.ts";
import { fromInstant, type Instant } from "../../core/clock.ts";
import { idPrefixes } from "../../core/id.ts";
import { type JobState, jobStates } from "../../core/job.ts";
import type { Filter, ListInput, Page, Position } from "../../core/page.ts";
import type { Where } from "../../policy/where.ts";
import { limitOf, value } from "../../ports/db/placeholders.ts";
import type { Builders, Db, Reads } from "../../ports/db/port.ts";
import { remembered } from "../../ports/db/remembered.ts";
import type { Job } from "../../ports/queue/port.ts";

const ph = sql.placeholder;

/** How many jobs one page looks at: 20 to 50 ms on PostgreSQL. */
const WINDOW = 50_000;
/** By how much a job's id and its `createdAt` may tell another time: one is made by the clock of whoever encodes it. */
const SLACK_MS = 3_600_000;
const INDEXED = new Set<unknown>(["waiting", "delayed", "active", "retrying", "failed", "cancelled"]);

export const listedColumns = ({ jobs }: Tables) => ({
  id: jobs.id,
  createdAt: jobs.createdAt,
  name: jobs.name,
  queue: jobs.queue,
  state: jobs.state,
  runAt: jobs.runAt,
  attempt: jobs.attempt,
  maxAttempts: jobs.maxAttempts,
  error: jobs.error,
  scheduleName: jobs.scheduleName,
  startedAt: jobs.startedAt,
  finishedAt: jobs.finishedAt,
});

export type ListedJob = Pick<Job, keyof ReturnType<typeof listedColumns>>;

const literals = Object.fromEntries(jobStates.map((state) => [state, `'${state}'`])) as Record<JobState, string>;
const compare = { eq, gt, gte, lt, lte };
type Compared = keyof typeof compare;

interface Shape {
  key: string;
  filters: readonly Filter[];
  descending: boolean;
  condition: Where;
}

export function jobPages(db: Db, window = WINDOW) {
  const columns = listedColumns(db.tables);
  const conditions = ({ filters, condition }: Shape): SQL | undefined =>
    and(
      condition.sql,
      ...filters.map(({ field, op, value: given }, i) => {
        const column = columns[field as keyof typeof columns] as Column;
        // In the text of the statement, so that the index which holds this state alone is seen to fit.
        if (field === "state") return sql`${column} = ${sql.raw(literals[given as JobState])}`;
        return compare[op as Compared](column, value(`f${i}`, column));
      }),
    );
  const page = remembered(
    ({ key }: Shape) => `list ${key}`,
    (shape) => (q: Builders, tables: Tables) =>
      q
        .select(columns)
        .from(tables.jobs)
        .where(and(conditions(shape), within(tables)))
        .orderBy((shape.descending ? desc : asc)(tables.jobs.id))
        .limit(limitOf("limit")),
  );
  const total = remembered(
    ({ key }: Shape) => `count ${key}`,
    (shape) =>
      (q: Builders, { jobs }: Tables) =>
        q
          .select({ total: sql<number>`count(*)`.mapWith(Number) })
          .from(jobs)
          .where(conditions(shape)),
  );

  /** The last job of the window that begins at one end of the range; null where the range ends before. */
  async function edge(descending: boolean, range: Range, reads: Reads): Promise<string | null> {
    const [row] = await db.all(db.prepare(descending ? lowest : highest)({ ...range, window: window - 1 }), reads);
    return row?.id ?? null;
  }

  return async (input: ListInput, condition: Where, reads: Reads): Promise<Page<ListedJob>> => {
    const { filters, limit, after } = input;
    const { descending } = input.sort;
    const state = filters.find(({ field }) => field === "state");
    const key = `${filters.map(({ field, op, value: v }) => `${field}.${op}${field === "state" ? v : ""}`).join()} ${descending} ${condition.key}`;
    const shape: Shape = { key, filters, descending, condition };
    const values: Record<string, unknown> = { ...condition.values };
    for (const [i, filter] of filters.entries()) values[`f${i}`] = filter.value;

    const range = rangeOf(filters, after, descending);
    const end = INDEXED.has(state?.value) ? null : await edge(descending, range, reads);
    const looked = end === null ? range : descending ? { ...range, low: end } : { ...range, high: behind(end) };
    const rows = await db.all(db.prepare(page(shape))({ ...values, ...looked, limit: limit + 1 }), reads);
    const full = rows.length > limit;
    if (full) rows.length = limit;
    const next: Position | undefined = !full && end !== null ? { value: end, id: end } : undefined;
    return {
      items: rows,
      more: full || next !== undefined,
      total: input.count ? await count(shape, values, reads) : null,
      ...(next && { next }),
    };
  };

  async function count(shape: Shape, values: Record<string, unknown>, reads: Reads): Promise<number> {
    const [row] = await db.all(db.prepare(total(shape))(values), reads);
    return row?.total ?? 0;
  }
}

/** Ids from `low` on, and before `high`. Only digits and small letters are compared, which every collation puts in the same order. */
interface Range {
  low: string;
  high: string;
}

const within = ({ jobs }: Tables) => sql`${jobs.id} >= ${ph("low")} and ${jobs.id} < ${ph("high")}`;
const endOf = (order: typeof asc) => (q: Builders, tables: Tables) =>
  q
    .select({ id: tables.jobs.id })
    .from(tables.jobs)
    .where(within(tables))
    .orderBy(order(tables.jobs.id))
    .limit(1)
    .offset(ph("window"));
const [lowest, highest] = [endOf(desc), endOf(asc)];

/** Ids sort by the time of their making, so what is asked of `createdAt` bounds them. */
function rangeOf(filters: readonly Filter[], after: Position | null, descending: boolean): Range {
  let low = `${idPrefixes.job}_`;
  let high = `${idPrefixes.job}_8`;
  for (const { field, op, value: given } of filters) {
    if (field !== "createdAt") continue;
    const id = (ms: number) => idAt(fromInstant(given as Instant) + ms);
    if (op === "gt" || op === "gte") low = max(low, id(-SLACK_MS));
    else high = min(high, id(SLACK_MS));
  }
  if (after && descending) high = min(high, after.id);
  if (after && !descending) low = max(low, behind(after.id));
  return { low, high };
}

const min = (a: string, b: string) => (a < b ? a : b);
const max = (a: string, b: string) => (a > b ? a : b);
/** The next text after an id: greater than it, and less than all ids that follow. */
const behind = (id: string) => `${id}0`;

/** The first id that could be made at a time. */
function idAt(ms: number): string {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, "0").slice(-12);
  return fromUUID(`${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`, idPrefixes.job).toString();
}
