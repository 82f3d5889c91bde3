import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { type Opened, openPglite, openPostgres, openSqlite } from "../helpers/databases.ts";
import { underNode } from "../helpers/nodes.ts";
import { allHold } from "../helpers/peer.ts";
import { serverAnswers } from "../helpers/postgres.ts";
import { cronCases } from "./cron.ts";
import { scheduleCases } from "./schedule.ts";
import { scheduleWorld } from "./schedule.world.ts";

describe("patterns", () => {
  for (const { name, run } of cronCases) test(name, run);
});

function scheduleContract(name: string, open: () => Promise<Opened>) {
  describe(name, () => {
    let opened: Opened;
    beforeAll(async () => {
      opened = await open();
    }, 30_000);
    afterAll(() => opened?.done());
    for (const { name, run } of scheduleCases) test(name, () => run(scheduleWorld(opened.db)));
  });
}

scheduleContract("PGlite", () => openPglite("memory", openBunSqlite));
scheduleContract("bun:sqlite", () => openSqlite("file", openBunSqlite));
if (await serverAnswers()) scheduleContract("PostgreSQL", openPostgres);

test.each(["node:sqlite", "d1"])(
  "%s under Node does all of it",
  async (engine) => {
    expect(await underNode("schedule.peer.ts", engine)).toEqual(allHold([...cronCases, ...scheduleCases]));
  },
  60_000,
);

test("patterns mean the same on workerd", async () => {
  expect(await underNode("cron.workerd.peer.ts")).toEqual(allHold(cronCases));
}, 60_000);
