/**
 * SQLite in the process. A list is known before it starts, so it runs to its end in one turn of the event loop: no other request of this
 * process can come between BEGIN and COMMIT, and no lock is needed. Other processes are held off by BEGIN IMMEDIATE and the busy timeout.
 */
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

const PRAGMAS = `
  pragma journal_mode = wal;
  pragma synchronous = normal;
  pragma foreign_keys = on;
  pragma busy_timeout = 5000;
`;

/** SQLite keeps booleans as integers, and undefined is no value of it. */
const plain = (params: unknown[]) => params.map((p) => (typeof p === "boolean" ? Number(p) : p));

export function createFileClient(file: SqliteFile): SqliteClient {
  file.exec(PRAGMAS);
  let busy: Promise<unknown> = Promise.resolve();

  return {
    async all(text, params) {
      return file.rows(text, plain(params));
    },
    async batch(steps) {
      await busy;
      file.exec("begin immediate");
      try {
        const answers = steps.map(({ text, params, returns, must }) => {
          const rows = returns ? file.rows(text, plain(params)) : [];
          const touched = returns ? rows.length : file.run(text, plain(params));
          if (must && touched === 0) throw stale();
          return rows;
        });
        file.exec("commit");
        return answers;
      } catch (error) {
        file.exec("rollback");
        throw error;
      }
    },
    // Migrations await between statements, so lists wait for them; `busy` is the only lock in this file.
    exclusively<T>(work: (run: RunScript) => Promise<T>): Promise<T> {
      const done = busy.then(async () => {
        file.exec("begin immediate");
        try {
          const answer = await work(async (text, params) => {
            if (params) return file.rows(text, plain(params));
            file.exec(text);
            return [];
          });
          file.exec("commit");
          return answer;
        } catch (error) {
          file.exec("rollback");
          throw error;
        }
      });
      busy = done.catch(() => {});
      return done;
    },
    async close() {
      file.close();
    },
  };
}
