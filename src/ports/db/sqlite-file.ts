/**
 * SQLite in the process. A list is known before it starts, so it runs to its end in one turn of the event loop: no other request of this
 * process can come between BEGIN and COMMIT, and no lock is needed. Other processes are held off by BEGIN IMMEDIATE, which is tried again
 * without blocking the event loop.
 */
import { pause } from "../../core/timeout.ts";
import type { RunScript } from "./port.ts";
import type { SqliteClient } from "./sqlite.ts";
import { stale } from "./stale.ts";

/** The part of bun:sqlite and node:sqlite that is needed; each driver is the few lines that make it so. */
export interface SqliteFile {
  exec(sql: string): void;
  /** Rows as arrays. */
  rows(text: string, params: unknown[]): unknown[][];
  /** The number of rows that were changed. */
  run(text: string, params: unknown[]): number;
  close(): void;
}

/** SQLite's own waiting stops the whole process, so it is short; it covers the moments in which even a reader has to wait. */
const PRAGMAS = `
  pragma busy_timeout = 250;
  pragma journal_mode = wal;
  pragma synchronous = normal;
  pragma foreign_keys = on;
`;
const RETRY_MS = 20;
/** How long a list waits for another process's, and a migration for another process's migration. */
const LIST_PATIENCE_MS = 5000;
const MIGRATION_PATIENCE_MS = 120_000;

/** SQLite keeps booleans as integers. */
const plain = (params: unknown[]) => params.map((p) => (typeof p === "boolean" ? Number(p) : p));
const isBusy = (error: unknown) => /database is locked|SQLITE_BUSY/i.test(String((error as Error).message));

export function createFileClient(file: SqliteFile): SqliteClient {
  file.exec(PRAGMAS);
  /** Held by a migration, which awaits between its statements. Lists need no lock among themselves. */
  let migrating: Promise<unknown> = Promise.resolve();

  /** Whether the transaction has begun; false while another process has one, until the deadline. */
  function begun(deadline: number): boolean {
    try {
      file.exec("begin immediate");
      return true;
    } catch (error) {
      if (!isBusy(error) || Date.now() > deadline) throw error;
      return false;
    }
  }

  function rollback() {
    try {
      file.exec("rollback");
    } catch {
      // SQLite has rolled back by itself, as it does when the disk is full; the caller throws the first error.
    }
  }

  return {
    async all(text, params) {
      await migrating;
      return file.rows(text, plain(params));
    },
    async batch(steps) {
      const deadline = Date.now() + LIST_PATIENCE_MS;
      await migrating;
      while (!begun(deadline)) {
        await pause(RETRY_MS);
        await migrating;
      }
      // Nothing is awaited from here on.
      try {
        const answers = steps.map(({ text, params, columns, must }) => {
          const rows = columns > 0 ? file.rows(text, plain(params)) : [];
          const touched = columns > 0 ? rows.length : file.run(text, plain(params));
          if (must && touched === 0) throw stale();
          return rows;
        });
        file.exec("commit");
        return answers;
      } catch (error) {
        rollback();
        throw error;
      }
    },
    exclusively<T>(work: (run: RunScript) => Promise<T>): Promise<T> {
      const done = migrating.then(async () => {
        const deadline = Date.now() + MIGRATION_PATIENCE_MS;
        while (!begun(deadline)) await pause(RETRY_MS);
        try {
          const answer = await work(async (text, params) => {
            if (params) return file.rows(text, plain(params));
            file.exec(text);
            return [];
          });
          file.exec("commit");
          return answer;
        } catch (error) {
          rollback();
          throw error;
        }
      });
      migrating = done.catch(() => {});
      return done;
    },
    async close() {
      file.close();
    },
  };
}
