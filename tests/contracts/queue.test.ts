import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { databaseDispatch } from "../../src/ports/queue/database.ts";
import { type Opened, openPglite, openPostgres, openSqlite } from "../helpers/databases.ts";
import { nodes } from "../helpers/nodes.ts";
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
    const node = nodes.at(-1);
    if (!node) throw new Error("no Node was found");
    const peer = Bun.spawn([node.path, `${import.meta.dir}/queue.peer.ts`, engine], { stderr: "pipe" });
    const [out, err] = await Promise.all([new Response(peer.stdout).text(), new Response(peer.stderr).text()]);
    const line = out.split("\n").findLast((text) => text.startsWith("{"));
    if (!line) throw new Error(`the peer did not finish: ${err}`);
    expect(JSON.parse(line)).toEqual(Object.fromEntries(queueCases.map(({ name }) => [name, null])));
  }, 120_000);
}
