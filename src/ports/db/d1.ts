/**
 * Cloudflare D1. `batch` is atomic and is the only transaction there is; a statement that must touch a row is followed by one that breaks
 * a check when it did not (sql/sqlite/010_hearth_must.sql). D1 takes at most 100 parameters a statement.
 */
import type { SqliteClient } from "./sqlite.ts";

/** The part of the binding that is used. */
export interface D1Database {
  prepare(text: string): D1Statement;
  batch(statements: D1Statement[]): Promise<{ results?: Record<string, unknown>[] }[]>;
}
export interface D1Statement {
  bind(...values: unknown[]): D1Statement;
  raw(): Promise<unknown[][]>;
}

const GUARD = "insert into hearth_must (touched) select changes() where changes() = 0";

export function createD1Client(d1: D1Database): SqliteClient {
  return {
    all: (text, params) =>
      d1
        .prepare(text)
        .bind(...params)
        .raw(),
    async batch(steps) {
      const statements: D1Statement[] = [];
      const places: number[] = [];
      for (const { text, params, must } of steps) {
        places.push(statements.length);
        statements.push(d1.prepare(text).bind(...params));
        if (must) statements.push(d1.prepare(GUARD));
      }
      const answers = await d1.batch(statements);
      return places.map((place) => (answers[place]?.results ?? []).map((row) => Object.values(row)));
    },
    exclusively: () => Promise.reject(new Error("D1 is migrated by wrangler: `bun run db:migrate --d1`")),
    async close() {},
  };
}
