import type { Db } from "../../ports/db/port.ts";

/** Something that the service needs: `run` answers null when it is there, or says what is wrong with it. */
export interface Check {
  name: string;
  run: () => Promise<string | null>;
}

export interface CheckResult {
  name: string;
  ok: boolean;
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

async function run({ name, run }: Check): Promise<CheckResult> {
  const start = performance.now();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, `does not answer within ${PATIENCE_MS} ms`);
  });
  const fault = await Promise.race([run().catch(() => "does not answer"), late]);
  clearTimeout(timer);
  return { name, ok: fault === null, ms: Math.round((performance.now() - start) * 10) / 10, fault };
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
