/** The engines under Node, where node:sqlite and D1 are, by the names that peers of the contracts are told. */
import { openNodeSqlite } from "../../src/ports/db/node-sqlite.ts";
import { type Opened, openD1, openPglite, openPostgres, openSqlite } from "./databases.ts";

const engines: Record<string, () => Promise<Opened>> = {
  "node:sqlite": () => openSqlite("file", openNodeSqlite),
  "node:sqlite in memory": () => openSqlite("memory", openNodeSqlite),
  PGlite: () => openPglite("memory", openNodeSqlite),
  PostgreSQL: () => openPostgres(),
  D1: openD1,
};

export function openUnderNode(name = ""): Promise<Opened> {
  const open = engines[name];
  if (!open) throw new Error(`no such engine: ${name}`);
  return open();
}
