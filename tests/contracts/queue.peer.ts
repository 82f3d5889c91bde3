/** Run by Node, where workerd's D1 and node:sqlite are: prints each case with its fault, or null. */
import { openNodeSqlite } from "../../src/ports/db/node-sqlite.ts";
import { databaseDispatch } from "../../src/ports/queue/database.ts";
import { openD1, openSqlite } from "../helpers/databases.ts";
import { outcomes } from "../helpers/peer.ts";
import { queueCases } from "./queue.ts";
import { queueWorld } from "./queue.world.ts";

const { db, done } = process.argv[2] === "d1" ? await openD1() : await openSqlite("file", openNodeSqlite);
const results = await outcomes(queueCases, ({ run }) => {
  const world = queueWorld(db, databaseDispatch);
  return run(world).finally(() => world.end());
});
await done();
console.log(JSON.stringify(results));
process.exit(0);
