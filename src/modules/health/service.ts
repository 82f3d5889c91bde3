import { type Clock, toInstant } from "../../core/clock.ts";
import type { Db } from "../../ports/db/port.ts";
import { oldestWaiting } from "../../ports/queue/lag.ts";
import type { Scheduler } from "../../ports/schedule/scheduler.ts";

/** Something that the service needs: `run` answers null when it is there, or says what is wrong with it. */
export interface Check {
  name: string;
  /** Its fault is told, and requests are served all the same. */
  advisory?: boolean;
  run: () => Promise<string | null>;
}

export interface CheckResult {
  name: string;
  ok: boolean;
  advisory: boolean;
  ms: number;
  fault: string | null;
}

/** Whether this process should be sent requests, apart from what it depends on. The runtime moves it on. */
export interface Lifecycle {
  phase: "starting" | "ready" | "draining";
}

const PATIENCE_MS = 2000;

export type Health = ReturnType<typeof createHealth>;

export function createHealth({ checks, lifecycle }: { checks: readonly Check[]; lifecycle: Lifecycle }) {
  return {
    phase: () => lifecycle.phase,
    check: (): Promise<CheckResult[]> => Promise.all(checks.map(run)),
  };
}

async function run({ name, run, advisory = false }: Check): Promise<CheckResult> {
  const start = performance.now();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, `does not answer within ${PATIENCE_MS} ms`);
  });
  const fault = await Promise.race([run().catch(() => "does not answer"), late]);
  clearTimeout(timer);
  return { name, ok: fault === null, advisory, ms: Math.round((performance.now() - start) * 10) / 10, fault };
}

/** The database answers, and holds the schema that the code was written for. */
export const databaseChecks = (db: Db, schemaVersion: (db: Db) => Promise<string>, expected: string): Check[] => [
  { name: "database", run: () => db.ping().then(() => null) },
  {
    name: "migrations",
    async run() {
      const found = await schemaVersion(db);
      return found === expected ? null : `the database is at ${found}, the code at ${expected}`;
    },
  },
];

/** Nothing that was due lies back. Requests can be answered without it, so it takes only a process that does nothing but work out of service. */
export const scheduleCheck = (scheduler: Pick<Scheduler, "fault">, decides: boolean): Check => ({
  name: "schedules",
  advisory: !decides,
  run: scheduler.fault,
});

/**
 * No due job waits for too long. It never takes a process out of service: requests are answered all the same, and jobs are done no sooner for
 * it. Whoever may see the details sees it, and an alert tells of it.
 */
export const jobCheck = (db: Db, clock: Clock, limitMs: number): Check => ({
  name: "jobs",
  advisory: true,
  async run() {
    const late = (await oldestWaiting(db, toInstant(clock.now()))).filter(({ ms, paused }) => ms >= limitMs && !paused);
    const [first, ...others] = late;
    if (!first) return null;
    const more = others.length > 0 ? `, and jobs of ${others.length} more` : "";
    return `${first.name} waits for ${Math.round(first.ms / 1000)} s${more}`;
  },
});
