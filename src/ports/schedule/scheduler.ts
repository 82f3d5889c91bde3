/** Looks after the schedules of this process: finds what is due, decides, and writes the decision down. It owns no timer (timer.ts). */
import { addMs, type Clock, fromInstant, type Instant, toInstant } from "../../core/clock.ts";
import { hasCode } from "../../core/error.ts";
import { idPrefixes, newId } from "../../core/id.ts";
import type { Db } from "../db/port.ts";
import type { Log } from "../log/port.ts";
import type { Cause } from "../queue/port.ts";
import { type Due, MOST } from "./cron.ts";
import { type Checked, checkSchedules, type Schedule } from "./define.ts";
import { firing } from "./firing.ts";
import type { NewRun, ScheduleRow } from "./port.ts";
import { createRunStore, record, recordMissed, unmiss } from "./runs.ts";
import { createScheduleStore, type Moved, move } from "./store.ts";

export interface SchedulerOptions {
  db: Db;
  clock: Clock;
  log: Log;
  schedules: readonly Schedule[];
}

export type Scheduler = ReturnType<typeof createScheduler>;

/** A run that nobody began within this time of when it was due was missed. A deployment takes less. */
export const LATE_MS = 5 * 60_000;
/** Processes agree on the time within seconds. A time that was looked after further ahead than this was so by a clock that was wrong. */
const AHEAD_MS = 60_000;
const SEEN_EVERY_MS = 60_000;
/** Less than after what a time was missed: what is not declared any more has missed nothing. */
const RETIRE_MS = 3 * 60_000;
/** Whoever ticks looks at least this often: for the rows that others have changed, and for jobs that have ended. */
export const LOOK_MS = 30_000;

/** They are checked when they are first looked at, because time zones take a start 10 ms: work.ts does so before any runs. */
export function createScheduler({ db, clock, log, schedules }: SchedulerOptions) {
  let checked: ReadonlyMap<string, Checked> | undefined;
  /** The schedules by name. Throws when one is wrong, and names it. */
  const known = () => {
    checked ??= checkSchedules(schedules);
    return checked;
  };
  const store = createScheduleStore(db);
  const runs = createRunStore(db);
  let declared = false;

  const now = () => toInstant(clock.now());

  async function declare(): Promise<void> {
    const at = now();
    await store.declare([...known().values()], at);
    await unlessOther(store.retire(addMs(at, -RETIRE_MS)), undefined);
    declared = true;
  }

  /** The rows of the schedules that are declared here. */
  async function rows(): Promise<ScheduleRow[]> {
    if (!declared) await declare();
    let found = (await store.all()).filter(({ id }) => known().has(id));
    // Somebody has deleted one, or this process was asleep for so long that another has retired them.
    if (found.length < known().size || found.some(({ nextAt }) => nextAt === null)) {
      await declare();
      found = (await store.all()).filter(({ id }) => known().has(id));
    }
    const at = now();
    const stale = addMs(at, -SEEN_EVERY_MS);
    const unseen = found.filter(({ seenAt }) => seenAt === null || seenAt < stale).map(({ id }) => id);
    if (unseen.length > 0) {
      await unlessOther(store.seen(unseen, at, stale), undefined);
      await unlessOther(store.retire(addMs(at, -RETIRE_MS)), undefined);
    }
    return found;
  }

  /** The schedules whose last job has not ended. Ends that are not recorded yet are recorded on the way. */
  async function busy(): Promise<Set<string>> {
    const open = await runs.open();
    const live = open.filter(({ state }) => state !== null && !ENDED.has(state));
    if (live.length < open.length) {
      for (const { scheduleName, dueAt, outcome, jobId } of await unlessOther(runs.close(now()), []))
        if (outcome !== "done")
          log.warn({ schedule: scheduleName, dueAt, job: jobId, outcome }, "a scheduled run did not end well");
    }
    return new Set(live.map(({ scheduleName }) => scheduleName));
  }

  /** Times that a wrong clock has fired are not fired again when they come (`past`); those that it took for missed have not been. */
  async function beginAnew({ name, cron }: Checked, row: ScheduleRow, at: Instant): Promise<void> {
    await db.atomic((tx) => [move(tx, row, { lastAt: at, nextAt: cron.next(at) }), unmiss(tx, name, at)]);
    log.warn(
      { schedule: name, lastAt: row.lastAt },
      "a schedule was looked after by a clock that is wrong; it begins anew",
    );
  }

  /** What could not be written down because its time has a run already: the row is moved on, and that is all. */
  const past = (row: ScheduleRow, to: Moved) => async (error: unknown) => {
    if (!hasCode(error, "conflict")) throw error;
    await db.atomic((tx) => [move(tx, row, to)]);
    return null;
  };

  async function look(schedule: Checked, row: ScheduleRow, isBusy: boolean): Promise<void> {
    const at = now();
    if (row.lastAt !== null && addMs(row.lastAt, -AHEAD_MS) > at) return beginAnew(schedule, row, at);
    const due = row.lastAt === null ? null : schedule.cron.between(row.lastAt, at);
    if (!due) return;
    const isLate = fromInstant(at) - fromInstant(due.latest) > LATE_MS;
    const { missed, fires } = plan(schedule, due, isLate);
    const to = { lastAt: due.latest, nextAt: schedule.cron.next(due.latest) };
    const missing = missed && ended(schedule, missed.at, "missed", at, missed.message);
    if (missing) log.warn({ schedule: schedule.name, dueAt: missed?.at }, missing.error?.message ?? "");

    if (!fires || (schedule.overlap === "skip" && isBusy)) {
      const skipped = fires
        ? ended(schedule, due.latest, "skipped", at, "The job of an earlier run has not ended.")
        : null;
      const done = await db
        .atomic((tx) => [move(tx, row, to), missing && recordMissed(tx, missing), skipped && record(tx, skipped)])
        .catch(past(row, to));
      if (done && skipped) log.info({ schedule: schedule.name, dueAt: due.latest }, "a scheduled run was skipped");
      return;
    }
    const by: Cause = { actor: { type: "system", id: "schedule" }, requestId: null, traceId: null, now: at };
    const cause = isLate || (schedule.catchUp && due.count > 1) ? "catch-up" : "cron";
    const fired = firing(schedule, runs, { dueAt: due.latest, cause, by });
    const done = await db
      .atomic((tx) => [move(tx, row, to), missing && recordMissed(tx, missing), ...fired.statements(tx)] as const)
      .catch(past(row, to));
    if (!done) return;
    await fired.settle(done[3]);
    log.debug({ schedule: schedule.name, dueAt: due.latest, job: fired.run.jobId }, "a schedule was fired");
  }

  return {
    known,
    store,
    runs,
    busy,
    /** Writes the declarations down, once in the life of the scheduler. */
    async ready(): Promise<void> {
      if (!declared) await declare();
    },
    /** Looks once at all of them. Answers in how many milliseconds it is to be called again, at the latest. */
    async tick(): Promise<number> {
      if (known().size === 0) return LOOK_MS;
      // The rows come first: a run that begins after they were read has moved their turn.
      const found = await rows();
      const going = await busy();
      let failed: unknown = null;
      for (const row of found) {
        if (row.pausedAt !== null) continue;
        // A fault must not hold up the schedules behind this one.
        await unlessOther(look(known().get(row.id) as Checked, row, going.has(row.id)), undefined).catch((error) => {
          failed = error;
        });
      }
      if (failed) throw failed;
      const at = now();
      const next = [...known().values()].map(({ cron }) => cron.next(at)).filter((instant) => instant !== null);
      return Math.min(LOOK_MS, ...next.map((instant) => fromInstant(instant) - fromInstant(at)));
    },
    /** What is wrong with the schedules, for readiness; null: nothing. */
    async fault(): Promise<string | null> {
      const late = (await store.overdue(addMs(now(), -LATE_MS))).filter(({ id }) => known().has(id));
      const [first, ...others] = late;
      if (!first) return null;
      return `${first.id} was due at ${first.nextAt}${others.length > 0 ? `, others too: ${others.length}` : ""}`;
    },
  };
}

/** Another process was first, and that is how it should be. */
const unlessOther = <T>(work: Promise<T>, otherwise: T): Promise<T> =>
  work.catch((error) => {
    if (hasCode(error, "conflict")) return otherwise;
    throw error;
  });

const ENDED: ReadonlySet<string> = new Set(["done", "failed", "cancelled"]);

/** Whether the newest one is fired, and which are to be told of as missed. */
function plan({ catchUp }: Schedule, { first, latest, earlier, count }: Due, isLate: boolean) {
  const fires = catchUp || !isLate;
  const at = fires ? earlier : latest;
  if (at === null || (fires && catchUp)) return { fires, missed: null };
  const times = fires ? count - 1 : count;
  const many = times >= MOST - 1 ? `more than ${MOST - 2} times` : times === 1 ? "once" : `${times} times`;
  return { fires, missed: { at, message: `It was missed ${many}, from ${first} to ${at}.` } };
}

function ended(
  { name }: Schedule,
  dueAt: Instant,
  outcome: "missed" | "skipped",
  now: Instant,
  message: string,
): NewRun {
  return {
    id: newId(idPrefixes.scheduleRun),
    createdAt: now,
    scheduleName: name,
    dueAt,
    cause: "cron",
    jobId: null,
    outcome,
    error: { code: outcome, message },
    startedAt: null,
    finishedAt: now,
  };
}
