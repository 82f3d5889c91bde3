/**
 * Cloudflare D1. `batch` is atomic and is the only transaction there is; a statement that must touch a row is followed by one that breaks
 * a check when it did not (sql/sqlite/010_hearth_must.sql).
 */
import { capabilities } from "./port.ts";
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
  function statement(text: string, params: unknown[]): D1Statement {
    const most = capabilities.d1.maxValues;
    if (params.length > most) {
      throw new Error(
        `A statement binds ${params.length} values, and D1 takes ${most}: split it into more statements of one list.`,
      );
    }
    return d1.prepare(text).bind(...params);
  }
  return {
    all: async (text, params) => statement(text, params).raw(),
    async batch(steps) {
      const statements: D1Statement[] = [];
      const places: number[] = [];
      for (const { text, params, must } of steps) {
        places.push(statements.length);
        statements.push(statement(text, params));
        if (must) statements.push(d1.prepare(GUARD));
      }
      if (statements.length === 0) return [];
      const answers = await d1.batch(statements);
      return steps.map(({ text, columns }, i) => {
        if (columns === 0) return [];
        const rows = (answers[places[i] as number]?.results ?? []).map((row) => Object.values(row));
        // A batch answers with objects, so of two columns of one name only one arrives.
        if (rows[0] && rows[0].length !== columns)
          throw new Error(`In a list on D1, columns need names of their own: ${text}`);
        return rows;
      });
    },
    exclusively: () => Promise.reject(new Error("D1 is migrated by wrangler: `bun run db:migrate --d1`")),
    async close() {},
  };
}
