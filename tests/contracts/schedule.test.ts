import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Opened } from "../helpers/databases.ts";
import { engines, enginesUnderNode } from "../helpers/engines.ts";
import { underNode } from "../helpers/nodes.ts";
import { allHold } from "../helpers/peer.ts";
import { cronCases } from "./cron.ts";
import { scheduleCases } from "./schedule.ts";
import { scheduleWorld } from "./schedule.world.ts";

describe("patterns", () => {
  for (const { name, run } of cronCases) test(name, run);
});

describe.each(engines)("$name", ({ open }) => {
  let opened: Opened;
  beforeAll(async () => {
    opened = await open();
  }, 30_000);
  afterAll(() => opened?.done());
  for (const { name, run } of scheduleCases) test(name, () => run(scheduleWorld(opened.db)));
});

test.each(enginesUnderNode)(
  "%s under Node does all of it",
  async (engine) => {
    expect(await underNode("schedule.peer.ts", engine)).toEqual(allHold([...cronCases, ...scheduleCases]));
  },
  180_000,
);

test("patterns mean the same on workerd", async () => {
  expect(await underNode("cron.workerd.peer.ts")).toEqual(allHold(cronCases));
}, 180_000);
