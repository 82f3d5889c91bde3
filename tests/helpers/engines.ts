/** The engines that suites run on, PostgreSQL through the client of production: Bun.SQL under Bun, postgres.js under Node. */
import { createBunSql } from "../../src/ports/db/bun-sql.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { type Opened, openPglite, openPostgres, openSqlite } from "./databases.ts";
import { serverAnswers } from "./postgres.ts";

export interface TestEngine {
  name: string;
  /** A database of its own, migrated. */
  open(): Promise<Opened>;
}

/** Those that live in this process. */
export const embedded: readonly TestEngine[] = [
  { name: "PGlite", open: () => openPglite("memory", openBunSqlite) },
  { name: "SQLite", open: () => openSqlite("file", openBunSqlite) },
];

const hasServer = await serverAnswers();

export const engines: readonly TestEngine[] = [
  ...embedded,
  ...(hasServer ? [{ name: "PostgreSQL", open: () => openPostgres(createBunSql) }] : []),
];

/** As engines.node.ts names them. */
export const enginesUnderNode: readonly string[] = ["node:sqlite", "D1", ...(hasServer ? ["PostgreSQL"] : [])];
