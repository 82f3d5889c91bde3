/** What the cases of the schedule contract are written in. The clock stands still unless a case moves it, and nobody ticks but the case. */
import assert from "node:assert/strict";
import { desc, eq } from "drizzle-orm/sql";
import { z } from "zod";
import { fromInstant, toInstant } from "../../src/core/clock.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { defineJob, type JobType } from "../../src/ports/queue/define.ts";
import type { JobError } from "../../src/ports/queue/port.ts";
import { createJobStore } from "../../src/ports/queue/store.ts";
import { type Schedule, type ScheduleSpec, schedule } from "../../src/ports/schedule/define.ts";
import { createScheduler, type Scheduler } from "../../src/ports/schedule/scheduler.ts";
import { type MovingClock, movingClock } from "./limits.ts";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

type Input = { n: number };

export interface ScheduleWorld {
  db: Db;
  clock: MovingClock;
  lines: Record<string, unknown>[];
  /** A schedule with a name and a job type that no other case has. */
  make(pattern: string, spec?: Partial<ScheduleSpec<Input>>, job?: Partial<Parameters<typeof defineJob>[0]>): Schedule;
  /** A process that declares these. */
  instance(...schedules: Schedule[]): Scheduler;
  /** Moves the clock to this time of the day on which the case began, or of a later one. */
  at(time: string, days?: number): void;
  runs(of: Schedule): Promise<Run[]>;
  row(of: Schedule): Promise<Record<string, unknown>>;
  jobs(of: Schedule): Promise<Record<string, unknown>[]>;
  /** Ends the oldest waiting job of the schedule. */
  finish(of: Schedule, state: "done" | "failed"): Promise<void>;
}

interface Run {
  due: string;
  cause: string;
  outcome: string | null;
  jobId: string | null;
  error: { code: string; message: string } | null;
  startedAt: string | null;
  finishedAt: string | null;
}

let serial = 0;

export function scheduleWorld(db: Db): ScheduleWorld {
  const clock = movingClock();
  const start = clock.now();
  const lines: Record<string, unknown>[] = [];
  const log = createConsoleLog({ level: "info", clock, print: (line) => lines.push(JSON.parse(line)) });
  const store = createJobStore(db);
  const fresh = { fresh: true };
  return {
    db,
    clock,
    lines,
    make(pattern, spec, job) {
      const name = `case.${process.pid}.${Date.now()}.${serial++}`;
      const type = defineJob({ name, input: z.object({ n: z.number() }), ...job } as never) as JobType<
        z.ZodType<Input, Input>
      >;
      return schedule(pattern, type, { input: { n: 1 }, ...spec });
    },
    instance: (...schedules) => createScheduler({ db, clock, log, schedules }),
    at(time, days = 0) {
      const day = toInstant(start + days * DAY).slice(0, 10);
      clock.move(fromInstant(`${day}T${time}Z`) - clock.now());
    },
    async runs({ name }) {
      const rows = await db.all(
        db.prepare((q, { scheduleRuns: t }) =>
          q.select().from(t).where(eq(t.scheduleName, name)).orderBy(desc(t.dueAt)),
        )(),
        fresh,
      );
      return rows.map(({ dueAt, cause, outcome, jobId, error, startedAt, finishedAt }) => ({
        due: dueAt.slice(8, 16),
        cause,
        outcome,
        jobId,
        error,
        startedAt,
        finishedAt,
      }));
    },
    async row({ name }) {
      const [row] = await db.all(
        db.prepare((q, { schedules: t }) => q.select().from(t).where(eq(t.id, name)))(),
        fresh,
      );
      return row ?? {};
    },
    jobs: ({ name }) =>
      db.all(db.prepare((q, { jobs: t }) => q.select().from(t).where(eq(t.scheduleName, name)).orderBy(t.id))(), fresh),
    async finish({ job }, state) {
      const now = toInstant(clock.now());
      const slot = { name: job.name, queue: job.queue, free: 1, version: 1, perGroup: null };
      const [claimed] = await store.claim([slot], { workerId: "wrk_case", now, total: 1 });
      assert.ok(claimed, "there is a job to end");
      const { id, attempt } = claimed;
      clock.move(1_500);
      const error: JobError | null = state === "failed" ? { code: "error", message: "It broke.", attempt } : null;
      const at = toInstant(clock.now());
      const settled = await store.settle(
        [{ id, attempt, state, result: null, error, runAt: null, purgeAt: at, workerId: "wrk_case" }],
        at,
      );
      assert.deepEqual([...settled], [id]);
    },
  };
}

export interface ScheduleCase {
  name: string;
  run(world: ScheduleWorld): Promise<void>;
}

export const outcomes = (runs: Run[]) => runs.map(({ due, cause, outcome }) => `${due} ${cause} ${outcome}`);

/** Cases begin on 31 January 2026 at 09:30. */
