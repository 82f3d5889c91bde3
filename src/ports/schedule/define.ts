/** What a schedule is: a constant beside the job that it enqueues. */
import type { z } from "zod";
import { NAME } from "../../core/name.ts";
import { MAX_INT, spanFault, wholeFault } from "../queue/bounds.ts";
import type { JobType } from "../queue/define.ts";
import { toPayload } from "../queue/payload.ts";
import { type Cron, parseCron } from "./cron.ts";

export interface ScheduleSpec<I> {
  /** Unique over all schedules; its row and its history are found by it. Default: the job's name. */
  name?: string;
  /** IANA, such as `Europe/Berlin`. Default: UTC. */
  timezone?: string;
  /** What each job gets; it has to fit the job's schema. */
  input: I;
  /** When the job of an earlier run has not ended: leave this one out (the default), or enqueue it all the same. */
  overlap?: "skip" | "queue";
  /** Whether the newest of the runs that were missed is made up for. Default: they are recorded and reported, and that is all. */
  catchUp?: boolean;
  /** In milliseconds: how long a run may take with its waiting and all its attempts. It fails then. Default: what its job's type allows. */
  timeoutMs?: number;
  /** Of its jobs. Default: the type's. */
  priority?: number;
}

export interface Schedule {
  readonly name: string;
  readonly pattern: string;
  readonly timezone: string;
  readonly job: JobType;
  readonly input: unknown;
  readonly overlap: "skip" | "queue";
  readonly catchUp: boolean;
  readonly timeoutMs: number | null;
  readonly priority: number | null;
}

/** Declares a schedule. It is checked when the service is put together (`checkSchedules`), so that all faults are told at once. */
export const schedule = <In extends z.ZodType, Out extends z.ZodType>(
  pattern: string,
  job: JobType<In, Out>,
  spec: ScheduleSpec<z.input<In>>,
): Schedule => ({
  name: spec.name ?? job.name,
  pattern,
  timezone: spec.timezone ?? "UTC",
  job: job as unknown as JobType,
  input: spec.input,
  overlap: spec.overlap ?? "skip",
  catchUp: spec.catchUp ?? false,
  timeoutMs: spec.timeoutMs ?? null,
  priority: spec.priority ?? null,
});

/** A schedule that was found to be right, with its times. */
export interface Checked extends Schedule {
  readonly cron: Cron;
}

/** Throws one error that names every schedule that is wrong, and what is wrong with it. */
export function checkSchedules(schedules: readonly Schedule[]): ReadonlyMap<string, Checked> {
  const faults: string[] = [];
  const checked = new Map<string, Checked>();
  for (const declared of schedules) {
    const { name, pattern, timezone, job, input, timeoutMs, priority } = declared;
    try {
      if (!NAME.test(name)) throw new Error("this cannot name a schedule: use <noun>.<verb>");
      if (checked.has(name)) throw new Error("two schedules have this name");
      const fault = timeoutMs !== null && spanFault(timeoutMs, 1);
      if (fault) throw new Error(`its timeoutMs: ${fault}`);
      const unranked = priority !== null && wholeFault(priority, -MAX_INT);
      if (unranked) throw new Error(`its priority: ${unranked}`);
      toPayload(job, input);
      checked.set(name, { ...declared, cron: parseCron(pattern, timezone) });
    } catch (error) {
      faults.push(`  ${name}: ${error instanceof Error ? error.message : error}`);
    }
  }
  if (faults.length > 0) throw new Error(`Schedules that cannot be kept:\n${faults.join("\n")}`);
  return checked;
}
