import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { databaseDispatch } from "../../src/ports/queue/database.ts";
import { type Opened, openPglite, openPostgres, openSqlite } from "../helpers/databases.ts";
import { underNode } from "../helpers/nodes.ts";
import { allHold } from "../helpers/peer.ts";
import { serverAnswers } from "../helpers/postgres.ts";
import { queueCases } from "./queue.ts";
import { queueWorld } from "./queue.world.ts";

function contract(name: string, open: () => Promise<Opened>) {
  describe(name, () => {
    let opened: Opened;
    beforeAll(async () => {
      opened = await open();
    }, 30_000);
    afterAll(() => opened?.done());
    for (const { name, run } of queueCases) {
      test(name, async () => {
        const world = queueWorld(opened.db, databaseDispatch);
        try {
          await run(world);
        } finally {
          await world.end();
        }
      }, 20_000);
    }
  });
}

contract("PGlite", () => openPglite("memory", openBunSqlite));
contract("bun:sqlite", () => openSqlite("file", openBunSqlite));
if (await serverAnswers()) contract("PostgreSQL", openPostgres);

for (const engine of ["node:sqlite", "d1"]) {
  test(`${engine} under Node does all of it`, async () => {
    expect(await underNode("queue.peer.ts", engine)).toEqual(allHold(queueCases));
  }, 120_000);
}
