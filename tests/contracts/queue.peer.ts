/** Run by Node, where workerd's D1 and node:sqlite are: prints each case with its fault, or null. */
import { openNodeSqlite } from "../../src/ports/db/node-sqlite.ts";
import { databaseDispatch } from "../../src/ports/queue/database.ts";
import { openD1, openSqlite } from "../helpers/databases.ts";
import { queueCases } from "./queue.ts";
import { queueWorld } from "./queue.world.ts";

const { db, done } = process.argv[2] === "d1" ? await openD1() : await openSqlite("file", openNodeSqlite);
const results: Record<string, string | null> = {};
for (const { name, run } of queueCases) {
  const world = queueWorld(db, databaseDispatch);
  results[name] = await run(world).then(
    () => null,
    (error) => String(error.stack),
  );
  await world.end();
}
await done();
console.log(JSON.stringify(results));
process.exit(0);
