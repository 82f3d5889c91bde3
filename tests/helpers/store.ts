/** A database for one server under test, which outlives the server's process, and can be looked into where that is possible from outside. */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import type { Engine } from "../../src/ports/db/port.ts";
import { temporaryFolder } from "./databases.ts";
import { ownDatabase } from "./postgres.ts";

type Row = Record<string, unknown>;

export interface Store {
  engine: Engine;
  /** As `DATABASE_URL` takes it. */
  url: string;
  /** Runs SQL beside the server; null where one process alone may open the database. Parameters are `?`. Columns are in snake_case. */
  query: ((sql: string, params?: string[]) => Promise<Row[]>) | null;
  remove(): Promise<void>;
}

export async function openStore(engine: Exclude<Engine, "d1">): Promise<Store> {
  if (engine === "postgres") {
    const own = await ownDatabase();
    const numbered = (text: string) => {
      let n = 0;
      return text.replaceAll("?", () => `$${++n}`);
    };
    return {
      engine,
      url: own.url,
      query: async (text, params = []) => [...(await own.sql.unsafe<Row[]>(numbered(text), params))],
      remove: own.drop,
    };
  }
  const folder = temporaryFolder();
  if (engine === "pglite") {
    return { engine, url: `pglite:${join(folder.path, "data")}`, query: null, remove: async () => folder.remove() };
  }
  const file = join(folder.path, "test.db");
  let opened: Database | null = null;
  return {
    engine,
    url: `sqlite:${file}`,
    async query(text, params = []) {
      opened ??= new Database(file, { create: false, readwrite: true });
      opened.run("pragma busy_timeout = 2000");
      return opened.query(text).all(...params) as Row[];
    },
    async remove() {
      opened?.close();
      folder.remove();
    },
  };
}
