import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { type Opened, openPglite, openPostgres, openSqlite } from "../helpers/databases.ts";
import { nodes } from "../helpers/nodes.ts";
import { serverAnswers } from "../helpers/postgres.ts";
import { cronCases } from "./cron.ts";
import { scheduleCases, scheduleWorld } from "./schedule.ts";

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

/** What the peer has printed last: each case with its fault, or null. */
async function underNode(script: string, ...args: string[]): Promise<unknown> {
  const node = nodes.at(-1);
  if (!node) throw new Error("no Node was found");
  const peer = Bun.spawn([node.path, `${import.meta.dir}/${script}`, ...args], { stderr: "pipe" });
  const [out, err] = await Promise.all([new Response(peer.stdout).text(), new Response(peer.stderr).text()]);
  const line = out.split("\n").findLast((text) => text.startsWith("{"));
  if (!line) throw new Error(`the peer did not finish: ${err}`);
  return JSON.parse(line);
}

const allOf = (cases: readonly { name: string }[]) => Object.fromEntries(cases.map(({ name }) => [name, null]));

test.each(["node:sqlite", "d1"])(
  "%s under Node does all of it",
  async (engine) => {
    expect(await underNode("schedule.peer.ts", engine)).toEqual(allOf([...cronCases, ...scheduleCases]));
  },
  60_000,
);

test("patterns mean the same on workerd", async () => {
  expect(await underNode("cron.workerd.peer.ts")).toEqual(allOf(cronCases));
}, 60_000);
