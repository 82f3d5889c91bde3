/** Run by Node with the name of an engine: prints each case with its fault, or null. */
import { createDatabaseLimits } from "../../src/ports/limits/database.ts";
import { openUnderNode } from "../helpers/engines.node.ts";
import { outcomes } from "../helpers/peer.ts";
import { limitsCases, movingClock } from "./limits.ts";

const { db, done } = await openUnderNode(process.argv[2]);
const results = await outcomes(limitsCases, ({ run }) => {
  const clock = movingClock();
  return run(createDatabaseLimits({ db, clock }), clock);
});
const { limit, remaining, resetMs } = await createDatabaseLimits({ db }).hit("own time", {
  limit: 2,
  windowMs: 60_000,
});
results["the database's own time"] =
  limit === 2 && remaining === 1 && Math.round(resetMs) === 30_000 ? null : `${resetMs}`;
await done();
console.log(JSON.stringify(results));
process.exit(0);
