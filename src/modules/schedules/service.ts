/** Operating schedules. What they are and do: src/ports/schedule/port.ts. */
import { addMs, fromInstant, type Instant } from "../../core/clock.ts";
import { AppError } from "../../core/error.ts";
import type { JobState } from "../../core/job.ts";
import type { ListInput, Page } from "../../core/page.ts";
import type { Context } from "../../policy/context.ts";
import { may } from "../../policy/may.ts";
import { type Db, must } from "../../ports/db/port.ts";
import { scrub } from "../../ports/log/redact.ts";
import { PayloadError } from "../../ports/queue/define.ts";
import type { Checked } from "../../ports/schedule/define.ts";
import { type Fired, firing } from "../../ports/schedule/firing.ts";
import type { NewRun, ScheduleRow } from "../../ports/schedule/port.ts";
import type { Scheduler } from "../../ports/schedule/scheduler.ts";
import { move } from "../../ports/schedule/store.ts";
import { audit } from "../audit/statement.ts";
import { keep } from "../idempotency/store.ts";
import { type RunRow, runPages } from "./store.ts";

export interface SchedulesDeps {
  db: Db;
  scheduler: Scheduler;
}

export type Schedules = ReturnType<typeof createSchedules>;

const entity = (id: string) => ({ type: "Schedule", id });

export function createSchedules({ db, scheduler }: SchedulesDeps) {
  const { store, runs } = scheduler;
  const page = runPages(db);

  function shown(row: ScheduleRow) {
    const declared = scheduler.known().get(row.id);
    const isRetired = !declared || row.nextAt === null;
    return {
      name: row.id,
      createdAt: row.createdAt,
      pattern: row.pattern,
      timezone: row.timezone,
      job: row.jobName,
      state: isRetired ? ("retired" as const) : row.pausedAt === null ? ("active" as const) : ("paused" as const),
      overlap: declared?.overlap ?? null,
      catchUp: declared?.catchUp ?? null,
      pausedAt: row.pausedAt,
      nextAt: isRetired || row.pausedAt !== null ? null : row.nextAt,
      lastAt: row.lastAt,
    };
  }

  /** Rows are written by whoever ticks first. Where that has not happened yet, as on Workers before the first minute, it is done here. */
  async function seen(ctx: Context, name: string): Promise<ScheduleRow> {
    await scheduler.ready();
    const row = await store.find(name);
    if (!row || !may(ctx.ability, "read", "Schedule", row)) throw new AppError("not_found");
    return row;
  }

  function declared(name: string): Checked {
    const found = scheduler.known().get(name);
    if (!found) throw new AppError("conflict", { detail: "The schedule is retired: it is not declared any more." });
    return found;
  }

  return {
    async list(ctx: Context) {
      await scheduler.ready();
      const rows = (await store.all()).filter((row) => may(ctx.ability, "read", "Schedule", row));
      return rows.map(shown).sort((a, b) => (a.name < b.name ? -1 : 1));
    },

    async runs(ctx: Context, name: string, input: ListInput): Promise<Page<ReturnType<typeof shownRun>>> {
      await seen(ctx, name);
      const found = await page(name, input, ctx);
      return { ...found, items: found.items.map(shownRun) };
    },

    /** Nothing is due while it is paused, and nothing of that time when it is resumed. */
    async pause(ctx: Context, name: string, paused: boolean) {
      const before = await seen(ctx, name);
      const { cron } = declared(name);
      if ((before.pausedAt !== null) === paused) return shown(before);
      const after: ScheduleRow = paused
        ? { ...before, pausedAt: ctx.now }
        : { ...before, pausedAt: null, lastAt: ctx.now, nextAt: cron.next(ctx.now) };
      await db.atomic((tx) => [
        audit(tx, ctx, {
          action: paused ? "schedule.pause" : "schedule.resume",
          entity: entity(name),
          before: { pausedAt: before.pausedAt },
          after: { pausedAt: after.pausedAt },
        }),
        move(tx, before, after),
        keep(tx, ctx, shown(after)),
      ]);
      return shown(after);
    },

    /** Runs it at once, also while it is paused. */
    async run(ctx: Context, name: string, input: unknown) {
      const before = await seen(ctx, name);
      const schedule = declared(name);
      // After the row was read: a run that begins from here on moves its turn, and this one is undone.
      if (schedule.overlap === "skip" && (await scheduler.busy()).has(name))
        throw new AppError("conflict", { detail: "The job of an earlier run has not ended." });
      const fired = start(ctx, schedule, input);
      const met = await fired.meet();
      if (met?.inTheWay)
        throw new AppError("conflict", { detail: "There may be one job of this kind, and one is there already." });
      const answer = shownRun(asRow(fired.run, met?.state ?? "waiting"));
      const [, , made] = await db.atomic((tx) => {
        const [run, job] = fired.statements(tx);
        return [
          move(tx, before, {}),
          run,
          // One that has come meanwhile is a conflict as well.
          must(job),
          audit(tx, ctx, {
            action: "schedule.run",
            entity: entity(name),
            after: { runId: fired.run.id, jobId: fired.run.jobId },
          }),
          keep(tx, ctx, answer),
        ] as const;
      });
      await fired.settle(made);
      return { ...answer, jobId: fired.run.jobId };
    },
  };

  function start(ctx: Context, schedule: Checked, input: unknown): Fired {
    try {
      return firing(schedule, runs, { dueAt: betweenMinutes(ctx.now), cause: "manual", by: ctx, input });
    } catch (error) {
      if (!(error instanceof PayloadError)) throw error;
      throw new AppError("invalid_input", { errors: [{ in: "body", pointer: "/input", detail: error.message }] });
    }
  }
}

/** A run is unique by its time, and whole minutes belong to the clock. */
const betweenMinutes = (now: Instant): Instant => (now.endsWith(":00.000Z") ? addMs(now, 1) : now);

const asRow = (run: NewRun, jobState: JobState): RunRow => ({
  ...run,
  jobState,
  jobError: null,
  jobStartedAt: null,
  jobFinishedAt: null,
});

/** Until its end is recorded a run is as its job is. */
function shownRun(row: RunRow) {
  const { outcome, jobState } = row;
  const isOpen = outcome === null;
  const startedAt = isOpen ? row.jobStartedAt : row.startedAt;
  const finishedAt = isOpen ? row.jobFinishedAt : row.finishedAt;
  const error = isOpen ? row.jobError : row.error;
  return {
    id: row.id,
    createdAt: row.createdAt,
    dueAt: row.dueAt,
    cause: row.cause,
    state: outcome ?? jobState ?? ("unknown" as const),
    jobId: row.jobId,
    error: error && { code: error.code, message: scrub(error.message).slice(0, 4000) },
    startedAt,
    finishedAt,
    durationMs: startedAt && finishedAt ? Math.max(0, fromInstant(finishedAt) - fromInstant(startedAt)) : null,
  };
}
