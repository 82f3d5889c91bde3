/** What happened to jobs, counted in memory by minute, queue and name, as `job_minutes` keeps it. An event takes less than a microsecond. */
import { bucketEdges, buckets } from "../../../db/tables-queue.ts";
import type { Instant } from "../../core/clock.ts";
import type { JobEvent } from "./port.ts";

const bucketsOf = <K extends "wait" | "run">(kind: K) => buckets.map((bucket) => `${kind}${bucket}` as const);
const waitBuckets = bucketsOf("wait");
const runBuckets = bucketsOf("run");

/** Columns that are added up, and those that keep the largest. Times are in milliseconds. */
export const summed = [
  "done",
  "retried",
  "failed",
  "cancelled",
  "waitMs",
  "runMs",
  ...waitBuckets,
  ...runBuckets,
] as const;
export const largest = ["waitMaxMs", "runMaxMs"] as const;
export const counted = [...summed, ...largest];

type Count = (typeof counted)[number];
export type Counts = Record<Count, number>;
export type Minute = Counts & { id: string; minute: Instant; queue: string; name: string };

/** Minutes that are not written, while the database is away, take no more memory than this many rows. */
const MAX_ROWS = 5_000;

export interface Tally {
  count(event: JobEvent): void;
  /** Adds what another tally had counted. */
  add(minute: Minute): void;
  /** In one order, so that instances which write the same minutes do not lock each other out. */
  minutes(): Minute[];
}

export function createTally(): Tally {
  const all = new Map<string, Minute>();
  const newest = new Map<string, Minute>();

  /** Found by the name, which nearly always has one queue: no key is put together for each event. */
  function minuteOf({ at, queue, name }: JobEvent): Minute | null {
    const minute = startOf(at);
    const last = newest.get(name);
    if (last && last.minute === minute && last.queue === queue) return last;
    const id = `${minute}/${queue}/${name}`;
    let found = all.get(id);
    if (!found) {
      if (all.size >= MAX_ROWS) return null;
      found = { id, minute, queue, name, ...Object.fromEntries(counted.map((column) => [column, 0])) } as Minute;
      all.set(id, found);
    }
    newest.set(name, found);
    return found;
  }

  return {
    count(event) {
      const { kind } = event;
      if (kind === "started" || kind === "progress") return;
      if (kind === "cancelled" && event.counted) return;
      const minute = minuteOf(event);
      if (!minute) return;
      if (kind === "completed") minute.done++;
      else if (kind === "retried") minute.retried++;
      else if (kind === "dead") minute.failed++;
      else if (kind === "cancelled") minute.cancelled++;
      if (kind !== "completed" && kind !== "failed") return;
      const { waitMs, runMs } = event;
      minute.waitMs += waitMs;
      minute.runMs += runMs;
      minute.waitMaxMs = Math.max(minute.waitMaxMs, waitMs);
      minute.runMaxMs = Math.max(minute.runMaxMs, runMs);
      minute[waitBuckets[bucketOf(waitMs)] as Count]++;
      minute[runBuckets[bucketOf(runMs)] as Count]++;
    },
    add(minute) {
      const known = all.get(minute.id);
      if (!known) {
        if (all.size < MAX_ROWS) all.set(minute.id, minute);
        return;
      }
      for (const name of summed) known[name] += minute[name];
      for (const name of largest) known[name] = Math.max(known[name], minute[name]);
    },
    minutes: () => [...all.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}

let last = { text: "", minute: "" };
/** The minute that an instant lies in: its text up to the minute, which is the same for many events in a row. */
function startOf(at: Instant): Instant {
  if (last.text !== at) last = { text: at, minute: `${at.slice(0, 16)}:00.000Z` };
  return last.minute;
}

function bucketOf(ms: number): number {
  let i = 0;
  while (i < bucketEdges.length && ms > (bucketEdges[i] as number)) i++;
  return i;
}
