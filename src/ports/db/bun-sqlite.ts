import { Database } from "bun:sqlite";
import type { SqliteFile } from "./sqlite-file.ts";

export function openBunSqlite(path: string): SqliteFile {
  const db = new Database(path, { create: true });
  return {
    exec: (sql) => void db.run(sql),
    rows: (text, params) => db.query(text).values(...(params as string[])),
    run: (text, params) => db.query(text).run(...(params as string[])).changes,
    close: () => db.close(),
  };
}
