import { Database, type Statement } from "bun:sqlite";
import type { SqliteFile } from "./sqlite-file.ts";

/** `query` of bun:sqlite keeps only 20 statements. */
const MAX_STATEMENTS = 500;

export function openBunSqlite(path: string): SqliteFile {
  const db = new Database(path, { create: true });
  const statements = new Map<string, Statement>();
  const prepare = (text: string): Statement => {
    let statement = statements.get(text);
    if (!statement) {
      statement = db.prepare(text);
      if (statements.size >= MAX_STATEMENTS) statements.clear();
      statements.set(text, statement);
    }
    return statement;
  };
  return {
    exec: (sql) => void db.run(sql),
    rows: (text, params) => prepare(text).values(...(params as string[])),
    run: (text, params) => prepare(text).run(...(params as string[])).changes,
    close() {
      statements.clear();
      db.close();
    },
  };
}
