/** Run by Node with the name of an engine: prints each case with its fault, or null. */
import { databaseDispatch } from "../../src/ports/queue/database.ts";
import { openUnderNode } from "../helpers/engines.node.ts";
import { outcomes } from "../helpers/peer.ts";
import { queueCases } from "./queue.ts";
import { queueWorld } from "./queue.world.ts";

const { db, done } = await openUnderNode(process.argv[2]);
const results = await outcomes(queueCases, ({ run }) => {
  const world = queueWorld(db, databaseDispatch);
  return run(world).finally(() => world.end());
});
await done();
console.log(JSON.stringify(results));
process.exit(0);
