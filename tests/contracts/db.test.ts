import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createBunSql } from "../../src/ports/db/bun-sql.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { type Opened, openPglite, openPostgres, openSqlite } from "../helpers/databases.ts";
import { type Node, nodes, onNode } from "../helpers/nodes.ts";
import type { Outcomes } from "../helpers/peer.ts";
import { serverAnswers } from "../helpers/postgres.ts";
import { dbCases } from "./db.ts";

function dbContract(name: string, open: () => Promise<Opened>) {
  describe(name, () => {
    let opened: Opened;
    beforeAll(async () => {
      opened = await open();
    }, 30_000);
    afterAll(() => opened?.done());
    for (const { name, run } of dbCases) test(name, () => run(opened.db), 20_000);
  });
}

/** The same cases in a Node process of their own. */
function dbContractUnderNode(name: string, node: Node, engine: string) {
  describe(name, () => {
    let results: Outcomes;
    beforeAll(async () => {
      results = await onNode(node, "db.peer.ts", engine);
    }, 180_000);
    for (const { name } of dbCases) test(name, () => expect(results[name]).toBeNull());
  });
}

const hasServer = await serverAnswers();

dbContract("PGlite in memory", () => openPglite("memory", openBunSqlite));
dbContract("PGlite on disk", () => openPglite("disk", openBunSqlite));
if (hasServer) {
  dbContract("PostgreSQL, Bun.SQL", () => openPostgres(createBunSql));
  dbContract("PostgreSQL, postgres.js", () => openPostgres());
} else describe.skip("PostgreSQL (no server answers)", () => test("the contract", () => {}));
dbContract("bun:sqlite in memory", () => openSqlite("memory", openBunSqlite));
dbContract("bun:sqlite on disk", () => openSqlite("file", openBunSqlite));

for (const node of nodes) {
  dbContractUnderNode(`node:sqlite on disk, ${node.name}`, node, "node:sqlite");
  dbContractUnderNode(`node:sqlite in memory, ${node.name}`, node, "node:sqlite in memory");
  if (hasServer) dbContractUnderNode(`PostgreSQL, ${node.name}`, node, "PostgreSQL");
}
const newest = nodes.at(-1);
if (newest) {
  dbContractUnderNode(`PGlite, ${newest.name}`, newest, "PGlite");
  dbContractUnderNode(`D1, ${newest.name}`, newest, "D1");
}
