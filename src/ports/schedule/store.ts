/** The rows of schedules: what is declared, and up to when each has been looked after. What came of their times: runs.ts. */
import { eq, sql } from "drizzle-orm/sql";
import { getTableColumns } from "drizzle-orm/utils";
import type { Tables } from "../../../db/tables.ts";
import type { Instant } from "../../core/clock.ts";
import { value } from "../db/placeholders.ts";
import { type Builders, type Db, must, type Tx } from "../db/port.ts";
import type { Checked } from "./define.ts";
import type { ScheduleRow } from "./port.ts";

const ph = sql.placeholder;
const fresh = { fresh: true };

const selectAll = (q: Builders, { schedules }: Tables) => q.select(getTableColumns(schedules)).from(schedules);

const selectOne = (q: Builders, { schedules }: Tables) =>
  q
    .select(getTableColumns(schedules))
    .from(schedules)
    .where(eq(schedules.id, ph("id")));

/** A row that is as declared only says that it was seen; one that changed, or had been retired, starts anew. */
const declare = (q: Builders, { schedules: t }: Tables) => {
  const changed = sql`(${t.pattern} <> excluded.pattern or ${t.timezone} <> excluded.timezone or ${t.nextAt} is null)`;
  return q
    .insert(t)
    .values({
      id: ph("id"),
      createdAt: ph("now"),
      pattern: ph("pattern"),
      timezone: ph("timezone"),
      jobName: ph("jobName"),
      lastAt: ph("now"),
      nextAt: ph("nextAt"),
      seenAt: ph("now"),
    } as never)
    .onConflictDoUpdate({
      target: t.id,
      set: {
        pattern: sql`excluded.pattern`,
        timezone: sql`excluded.timezone`,
        jobName: sql`excluded.job_name`,
        seenAt: sql`excluded.seen_at`,
        lastAt: sql`case when ${changed} and excluded.last_at > ${t.lastAt} then excluded.last_at else ${t.lastAt} end`,
        nextAt: sql`case when ${changed} then excluded.next_at else ${t.nextAt} end`,
        turn: sql`${t.turn} + case when ${changed} then 1 else 0 end`,
      },
    });
};

const retire = (q: Builders, { schedules }: Tables) =>
  q
    .update(schedules)
    .set({ nextAt: sql`null`, turn: sql`turn + 1` })
    .where(sql`next_at is not null and (seen_at is null or seen_at < ${value("before", schedules.seenAt)})`);

const seen = (q: Builders, { schedules }: Tables) =>
  q
    .update(schedules)
    .set({ seenAt: sql`${value("now", schedules.seenAt)}` })
    .where(sql`id = ${ph("id")} and (seen_at is null or seen_at < ${value("before", schedules.seenAt)})`);

/** The whole of what a decision may change, over the turn that was seen. */
const decide = (q: Builders, { schedules: t }: Tables) =>
  q
    .update(t)
    .set({
      lastAt: value("lastAt", t.lastAt),
      nextAt: value("nextAt", t.nextAt),
      pausedAt: value("pausedAt", t.pausedAt),
      turn: sql`turn + 1`,
    })
    .where(sql`id = ${ph("id")} and turn = ${ph("turn")}`);

const overdue = (q: Builders, { schedules }: Tables) =>
  q
    .select({ id: schedules.id, nextAt: schedules.nextAt })
    .from(schedules)
    .where(sql`${schedules.nextAt} < ${value("before", schedules.nextAt)} and ${schedules.pausedAt} is null`)
    .orderBy(schedules.nextAt);

export type Moved = Partial<Pick<ScheduleRow, "lastAt" | "nextAt" | "pausedAt">>;

/** Moves the row on; the whole list is undone when somebody else has decided meanwhile. */
export const move = (tx: Tx, row: ScheduleRow, to: Moved) =>
  must(
    tx.prepare(decide)({
      id: row.id,
      turn: row.turn,
      lastAt: row.lastAt,
      nextAt: row.nextAt,
      pausedAt: row.pausedAt,
      ...to,
    }),
  );

/** Rows are locked in the same order by all processes, so that no two wait for each other. */
const byName = (a: Checked, b: Checked) => (a.name < b.name ? -1 : 1);

export function createScheduleStore(db: Db) {
  return {
    all: (): Promise<ScheduleRow[]> => db.all(db.prepare(selectAll)(), fresh),
    async find(id: string): Promise<ScheduleRow | null> {
      const [row] = await db.all(db.prepare(selectOne)({ id }), fresh);
      return row ?? null;
    },
    async declare(declared: readonly Checked[], now: Instant): Promise<void> {
      await db.atomic((tx) =>
        declared
          .toSorted(byName)
          .map(({ name, pattern, timezone, job, cron }) =>
            tx.prepare(declare)({ id: name, now, pattern, timezone, jobName: job.name, nextAt: cron.next(now) }),
          ),
      );
    },
    /** Says of those that nobody has spoken of since `before` that they are declared. */
    async seen(names: readonly string[], now: Instant, before: Instant): Promise<void> {
      await db.atomic((tx) => names.toSorted().map((id) => tx.prepare(seen)({ id, now, before })));
    },
    /** Takes the next time from those that nobody has declared since. */
    async retire(before: Instant): Promise<void> {
      await db.atomic((tx) => [tx.prepare(retire)({ before })]);
    },
    /** Those that were due before and have not been looked after. */
    overdue: (before: Instant) => db.all(db.prepare(overdue)({ before }), fresh),
  };
}
