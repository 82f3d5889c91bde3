/** Work that no other process does at the same time: in a transaction under a lock, on a connection of its own. */
import { unavailable } from "../../core/error.ts";
import type { RunScript } from "./port.ts";

/** One connection of a driver, which nobody else uses. */
export interface LoneConnection {
  query(text: string, params: unknown[]): Promise<unknown[][]>;
  /** Runs any number of statements, whose answers nobody reads. */
  script(text: string): Promise<unknown>;
  close(): Promise<void>;
}

/** Any number that all replicas of a service agree on. */
const MIGRATION_LOCK = 7_273_284_842;

/** The connection ends with the work, and takes with it what was not committed. */
export async function alone<T>(
  connect: (onclose: () => void) => LoneConnection,
  work: (run: RunScript) => Promise<T>,
): Promise<T> {
  let lost = false;
  const connection = connect(() => {
    lost = true;
  });
  const run: RunScript = async (text, params) => {
    // Both clients would connect again and go on without the lock and outside of the transaction.
    if (lost) throw unavailable("The connection to the database was lost.");
    if (params) return connection.query(text, params);
    await connection.script(text);
    return [];
  };
  try {
    await run("begin");
    // Migrations may take longer than a request may, and so may waiting for those of another process.
    await run("set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0");
    await run("select pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    const answer = await work(run);
    await run("commit");
    return answer;
  } finally {
    await connection.close();
  }
}
