import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { SqliteFile } from "./sqlite-file.ts";

/** node:sqlite compiles anew at each `prepare`; statements are kept, as bun:sqlite's `query` keeps them. */
const MAX_STATEMENTS = 500;

export function openNodeSqlite(path: string): SqliteFile {
  const db = new DatabaseSync(path);
  const statements = new Map<string, StatementSync>();
  const prepare = (text: string): StatementSync => {
    let statement = statements.get(text);
    if (!statement) {
      statement = db.prepare(text);
      statement.setReturnArrays(true);
      if (statements.size >= MAX_STATEMENTS) statements.clear();
      statements.set(text, statement);
    }
    return statement;
  };
  return {
    exec: (sql) => db.exec(sql),
    rows: (text, params) => prepare(text).all(...(params as SQLInputValue[])) as unknown as unknown[][],
    run: (text, params) => Number(prepare(text).run(...(params as SQLInputValue[])).changes),
    close() {
      statements.clear();
      db.close();
    },
  };
}
