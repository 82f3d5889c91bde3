import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { databaseDispatch } from "../../src/ports/queue/database.ts";
import type { Opened } from "../helpers/databases.ts";
import { engines, enginesUnderNode } from "../helpers/engines.ts";
import { underNode } from "../helpers/nodes.ts";
import { allHold } from "../helpers/peer.ts";
import { queueCases } from "./queue.ts";
import { queueWorld } from "./queue.world.ts";

describe.each(engines)("$name", ({ open }) => {
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

for (const engine of enginesUnderNode) {
  test(`${engine} under Node does all of it`, async () => {
    expect(await underNode("queue.peer.ts", engine)).toEqual(allHold(queueCases));
  }, 180_000);
}
