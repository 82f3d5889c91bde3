/** A run that has a job: what is written for it, whether it was due or asked for. */
import { addMs, type Instant } from "../../core/clock.ts";
import { idPrefixes, newId } from "../../core/id.ts";
import type { JobState } from "../../core/job.ts";
import type { RunCause } from "../../core/schedule.ts";
import type { Bound, Tx } from "../db/port.ts";
import { toRow } from "../queue/enqueue.ts";
import { insertion } from "../queue/insertion.ts";
import type { Cause } from "../queue/port.ts";
import type { Schedule } from "./define.ts";
import type { NewRun } from "./port.ts";
import { type RunStore, record } from "./runs.ts";

export interface Fired {
  run: NewRun;
  /** Looks for the job that is there already, where its type is unique: the run will be that one. Under `skip` it is in the way. */
  meet(): Promise<{ state: JobState; inTheWay: boolean } | null>;
  /** Two statements for an atomic list that moves the schedule's turn as well. */
  statements(tx: Tx): readonly [Bound, Bound<{ id: string }[]>];
  /** Told what the second answered. Where its type is unique and one is there already, that one is what became of the run. */
  settle(made: readonly { id: string }[]): Promise<void>;
}

interface Firing {
  dueAt: Instant;
  cause: RunCause;
  by: Cause;
  /** In place of the schedule's. */
  input?: unknown;
}

/** Throws a PayloadError when the job's type refuses the input. */
export function firing(schedule: Schedule, runs: RunStore, { dueAt, cause, by, input }: Firing): Fired {
  const { name, job, timeoutMs, priority } = schedule;
  const { row, mode } = toRow(job, input === undefined ? schedule.input : input, {
    by,
    scheduleName: name,
    ...(timeoutMs !== null && { deadlineAt: addMs(by.now, timeoutMs) }),
    ...(priority !== null && { priority }),
  });
  const run: NewRun = {
    id: newId(idPrefixes.scheduleRun),
    createdAt: by.now,
    scheduleName: name,
    dueAt,
    cause,
    jobId: row.id,
    outcome: null,
    error: null,
    startedAt: null,
    finishedAt: null,
  };
  return {
    run,
    async meet() {
      const met = row.uniqueKey === null ? null : await runs.holder(row.name, row.uniqueKey);
      if (!met) return null;
      run.jobId = met.id;
      // What is replaced keeps its time.
      return { state: mode === "replace" ? met.state : row.state, inTheWay: mode === "skip" };
    },
    statements: (tx) => [record(tx, run), insertion(tx, row, mode)],
    async settle([made]) {
      if (made?.id === run.jobId) return;
      run.jobId = made?.id ?? null;
      await runs.correct(run.id, run.jobId, by.now);
    },
  };
}
