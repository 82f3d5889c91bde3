import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createBunSql } from "../../src/ports/db/bun-sql.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { type Opened, openPglite, openPostgres, openSqlite } from "../helpers/databases.ts";
import { nodes } from "../helpers/nodes.ts";
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
function dbContractUnderNode(name: string, node: string, engine: string) {
  describe(name, () => {
    let results: Record<string, string | null>;
    beforeAll(async () => {
      const peer = Bun.spawn([node, `${import.meta.dir}/db.peer.ts`, engine], { stdout: "pipe", stderr: "pipe" });
      const [out, err] = await Promise.all([new Response(peer.stdout).text(), new Response(peer.stderr).text()]);
      const line = out.split("\n").findLast((text) => text.startsWith("{"));
      if (!line) throw new Error(`the peer did not finish: ${err}`);
      results = JSON.parse(line);
    }, 60_000);
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

for (const { name, path } of nodes) {
  dbContractUnderNode(`node:sqlite on disk, ${name}`, path, "sqlite-file");
  dbContractUnderNode(`node:sqlite in memory, ${name}`, path, "sqlite-memory");
  if (hasServer) dbContractUnderNode(`PostgreSQL, ${name}`, path, "postgres");
}
const newest = nodes.at(-1);
if (newest) {
  dbContractUnderNode(`PGlite, ${newest.name}`, newest.path, "pglite");
  dbContractUnderNode(`D1, ${newest.name}`, newest.path, "d1");
}
