/** Runs the cases of the Db contract under Node, on the engine that is named as argument, and prints `{ name: error | null }` as JSON. */
import process from "node:process";
import { openNodeSqlite } from "../../src/ports/db/node-sqlite.ts";
import { type Opened, openD1, openPglite, openPostgres, openSqlite } from "../helpers/databases.ts";
import { outcomes } from "../helpers/peer.ts";
import { dbCases } from "./db.ts";

const engines: Record<string, () => Promise<Opened>> = {
  d1: openD1,
  pglite: () => openPglite("memory", openNodeSqlite),
  postgres: openPostgres,
  "sqlite-file": () => openSqlite("file", openNodeSqlite),
  "sqlite-memory": () => openSqlite("memory", openNodeSqlite),
};

const open = engines[process.argv[2] ?? ""];
if (!open) throw new Error(`no such engine: ${process.argv[2]}`);
const { db, done } = await open();
const results = await outcomes(dbCases, ({ run }) => run(db));
await done();
console.log(JSON.stringify(results));
