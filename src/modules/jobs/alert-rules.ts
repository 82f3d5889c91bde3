/** What is an alert, and whether it holds now. A look asks a few small questions of the record, whatever the number of jobs. */
import { sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import { addMs, type Instant } from "../../core/clock.ts";
import { value } from "../../ports/db/placeholders.ts";
import type { Builders, Db } from "../../ports/db/port.ts";
import { oldestWaiting } from "../../ports/queue/lag.ts";
import { minutesAgo } from "../../ports/queue/minutes.ts";
import { LATE_MS } from "../../ports/schedule/scheduler.ts";
import { createScheduleStore } from "../../ports/schedule/store.ts";
import { createJobsStore } from "./store.ts";

export const alertKinds = ["job.dead", "job.failures", "job.waiting", "job.unknown", "schedule.missed"] as const;
export type AlertKind = (typeof alertKinds)[number];

export interface Thresholds {
  /** How far back is looked for what died and failed. An alert of them clears when nothing of it is left in that time. */
  windowMs: number;
  /** Failed attempts of one job type within the window. */
  failures: number;
  /** How long the oldest due job of a type may wait. */
  waitingMs: number;
}

/** Something that holds now. `detail` has numbers and names alone: it leaves the service. */
export interface Finding {
  kind: AlertKind;
  subject: string;
  message: string;
  detail: Record<string, unknown>;
}

/** While a new version is deployed, jobs that only it knows may wait for it. */
const UNKNOWN_MS = 60_000;

const knownNames = (q: Builders, { jobWorkers }: Tables) => q.select({ names: jobWorkers.names }).from(jobWorkers);

const lastDead = (q: Builders, { jobs }: Tables) =>
  q
    .select({ id: jobs.id, error: jobs.error })
    .from(jobs)
    .where(sql`${jobs.name} = ${sql.placeholder("name")} and ${jobs.state} = 'failed'`)
    .orderBy(sql`${jobs.id} desc`)
    .limit(1);

/** None of a time that has not come: a clock that was ahead took it for missed. */
const missed = (q: Builders, { scheduleRuns }: Tables) =>
  q
    .select({ name: scheduleRuns.scheduleName, dueAt: scheduleRuns.dueAt })
    .from(scheduleRuns)
    .where(
      sql`${scheduleRuns.outcome} = 'missed' and ${scheduleRuns.createdAt} >= ${value("since", scheduleRuns.createdAt)} and ${scheduleRuns.dueAt} <= ${value("now", scheduleRuns.dueAt)}`,
    );

interface Options {
  db: Db;
  thresholds: Thresholds;
  /** The job types of this process; others say what they know in their leases. */
  names: readonly string[];
}

export function createAlertRules({ db, thresholds, names }: Options) {
  const { windowMs, failures, waitingMs } = thresholds;
  const store = createJobsStore(db);
  const schedules = createScheduleStore(db);
  const fresh = { fresh: true };
  const minutes = Math.ceil(windowMs / 60_000);

  async function ended(now: Instant): Promise<Finding[]> {
    const counts = await store.countsSince(minutesAgo(now, minutes), fresh);
    const byName = Map.groupBy(counts, ({ name }) => name);
    const findings: Finding[] = [];
    for (const [name, rows] of byName) {
      const sum = (kind: "done" | "retried" | "failed") => rows.reduce((total, row) => total + row[kind], 0);
      const dead = sum("failed");
      const failed = dead + sum("retried");
      if (dead > 0) {
        const [last] = await db.all(db.prepare(lastDead)({ name }), fresh);
        findings.push({
          kind: "job.dead",
          subject: name,
          message: `${dead} ${dead === 1 ? "job" : "jobs"} of ${name} died within ${minutes} minutes.`,
          detail: { dead, minutes, lastJobId: last?.id ?? null, lastCode: last?.error?.code ?? null },
        });
      }
      if (failed >= failures)
        findings.push({
          kind: "job.failures",
          subject: name,
          message: `${failed} attempts of ${name} failed within ${minutes} minutes, and ${sum("done")} jobs of it were done.`,
          detail: { failed, done: sum("done"), minutes, threshold: failures },
        });
    }
    return findings;
  }

  async function waiting(now: Instant): Promise<Finding[]> {
    const [oldest, workers] = await Promise.all([oldestWaiting(db, now), db.all(db.prepare(knownNames)(), fresh)]);
    const known = new Set([...names, ...workers.flatMap((worker) => worker.names)]);
    const findings = new Map<string, Finding>();
    for (const { name, queue, since, ms, paused } of oldest) {
      const isKnown = known.has(name);
      if (findings.has(name) || paused || ms < (isKnown ? waitingMs : UNKNOWN_MS)) continue;
      const seconds = Math.round(ms / 1000);
      findings.set(name, {
        kind: isKnown ? "job.waiting" : "job.unknown",
        subject: name,
        message: isKnown
          ? `Jobs of ${name} wait: the oldest has been due for ${seconds} seconds.`
          : `Jobs of ${name} wait, and no worker knows this name.`,
        detail: { queue, since, ...(isKnown && { limitSeconds: waitingMs / 1000 }) },
      });
    }
    return [...findings.values()];
  }

  async function late(now: Instant): Promise<Finding[]> {
    const since = addMs(now, -Math.max(windowMs, LATE_MS));
    const [overdue, recorded] = await Promise.all([
      schedules.overdue(addMs(now, -LATE_MS)),
      db.all(db.prepare(missed)({ since, now }), fresh),
    ]);
    const unfired = overdue.map(({ id, nextAt }) => ({ name: id, dueAt: nextAt }));
    const findings = new Map<string, Finding>();
    for (const { name, dueAt } of [...unfired, ...recorded]) {
      if (findings.has(name)) continue;
      const message = `The schedule ${name} missed its time: it was due at ${dueAt}.`;
      findings.set(name, { kind: "schedule.missed", subject: name, message, detail: { dueAt } });
    }
    return [...findings.values()];
  }

  /** All that holds now. */
  return async (now: Instant): Promise<Finding[]> => (await Promise.all([ended(now), waiting(now), late(now)])).flat();
}
