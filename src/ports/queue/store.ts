/** What the workers do with the record. Whoever runs it says what time it is; every statement is the same text each time. */
import { addMs, type Instant } from "../../core/clock.ts";
import type { JobState } from "../../core/job.ts";
import { type Db, quietly } from "../db/port.ts";
import { createClaim } from "./claim.ts";
import { type Claim, withWork } from "./claiming.ts";
import type { JobType } from "./define.ts";
import { KEEP_CANCELLED_MS, KEEP_DEAD_MS } from "./keep.ts";
import type { ClaimedJob, DispatchName, DueJob, Outcome } from "./port.ts";
import { createSettle, type Settle } from "./settle.ts";
import { bury, held, known, leave, nextDue, orphans, register, touch } from "./statements.ts";

export type Ended = {
  id: string;
  name: string;
  queue: string;
  attempt: number;
  state: JobState;
  error: Outcome["error"];
};
export type Orphan = Pick<ClaimedJob, "id" | "name" | "queue" | "attempt" | "maxAttempts"> & { workerId: string };

/** What a carrier brings, and the version of its input that is known here. */
export type SentType = Pick<JobType, "name" | "queue" | "version">;

interface TakeOptions {
  now: Instant;
  before: Instant;
  limit: number;
  window: number;
}

export interface JobStore {
  claim: Claim;
  settle: Settle;
  progress(workerId: string, values: readonly { id: string; attempt: number; value: unknown }[]): Promise<void>;
  /** How many became waiting, and when the next is due. */
  promote(now: Instant, limit: number): Promise<{ promoted: number; nextAt: Instant | null }>;
  /** Ends those whose time to live or deadline is over. */
  expire(now: Instant, limit: number): Promise<Ended[]>;
  register(worker: {
    id: string;
    names: readonly string[];
    concurrency: number;
    dispatch: DispatchName;
    now: Instant;
  }): Promise<void>;
  /** What the worker holds, by id; null when it was found dead. */
  beat(workerId: string, now: Instant): Promise<Map<string, number> | null>;
  leave(workerId: string): Promise<void>;
  /** Takes away the leases of workers that were not seen since, and answers the active jobs that nobody holds. */
  orphans(self: string, before: Instant, limit: number): Promise<Orphan[]>;
  /**
   * Marks due jobs as given to a carrier at `now`; also those that were given before `before` and still wait. Of each type at most `limit`
   * of its first `window`. Answers them by age.
   */
  takeUnsent(types: readonly SentType[], options: TakeOptions): Promise<DueJob[]>;
  /** Those of them that wait count as sent at this time; null: never. */
  unsend(ids: readonly string[], sentAt: Instant | null): Promise<void>;
  /** Deletes ended jobs whose time to be kept is over; how many. */
  purge(now: Instant, limit: number): Promise<number>;
}

/** `leases` is the same database, by a way on which nothing waits behind what handlers ask: a worker that cannot say that it lives is dead. */
export function createJobStore(db: Db, leases = db): JobStore {
  const s = known[db.dialect];
  return {
    claim: createClaim(db),
    settle: createSettle(db),
    async progress(workerId, values) {
      const rows = values.map((row) => ({ ...row, value: JSON.stringify(row.value) }));
      await db.atomic((tx) => [quietly(tx.prepare(s.progress)({ workerId, ...s.values.bind(rows) }))]);
    },
    async promote(now, limit) {
      const next = db.prepare(nextDue)();
      const [due] = await db.all(next, { fresh: true });
      if (!due || due.runAt > now) return { promoted: 0, nextAt: due?.runAt ?? null };
      const [promoted] = await db.atomic((tx) => [quietly(tx.prepare(s.promote)({ now, limit }))]);
      // Those that another is promoting at this moment are looked at again by it.
      return { promoted: promoted.length, nextAt: promoted.length === limit ? now : null };
    },
    async expire(now, limit) {
      const keep = { deadUntil: addMs(now, KEEP_DEAD_MS), cancelledUntil: addMs(now, KEEP_CANCELLED_MS) };
      const [ended] = await db.atomic((tx) => [quietly(tx.prepare(s.expire)({ now, limit, ...keep }))]);
      return ended as Ended[];
    },
    async register({ id, names, concurrency, dispatch, now }) {
      await leases.atomic((tx) => [tx.prepare(register)({ id, names, concurrency, dispatch, now })]);
    },
    async beat(id, now) {
      const [touched, jobs] = await leases.atomic((tx) => [
        quietly(tx.prepare(touch)({ id, now })),
        tx.prepare(held)({ id }),
      ]);
      return touched.length === 0 ? null : new Map(jobs.map((job) => [job.id, job.attempt]));
    },
    async leave(id) {
      await leases.atomic((tx) => [tx.prepare(leave)({ id })]);
    },
    async orphans(self, before, limit) {
      const [, found] = await db.atomic((tx) => [tx.prepare(bury)({ self, before }), tx.prepare(orphans)({ limit })]);
      return found as Orphan[];
    },
    async takeUnsent(types, options) {
      if (types.length === 0) return [];
      const due: DueJob[] = [];
      for (const { name, queue, version } of await withWork(db, types)) {
        const values = { ...options, name, queue, version };
        const [taken] = await db.atomic((tx) => [quietly(tx.prepare(s.unsent)(values))]);
        due.push(...taken.map(({ rank, ...job }) => ({ ...job, priority: 0 - rank })));
      }
      return due.sort((a, b) => (a.id < b.id ? -1 : 1));
    },
    async unsend(ids, sentAt) {
      await db.atomic((tx) => [quietly(tx.prepare(s.unsend)({ ids: JSON.stringify(ids), sentAt }))]);
    },
    async purge(now, limit) {
      const [gone] = await db.atomic((tx) => [quietly(tx.prepare(s.purge)({ now, limit }))]);
      return gone.length;
    },
  };
}
