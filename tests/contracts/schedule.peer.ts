/** Run by Node with the name of an engine: prints each case with its fault, or null. */
import { openUnderNode } from "../helpers/engines.node.ts";
import { outcomes } from "../helpers/peer.ts";
import { cronCases } from "./cron.ts";
import { scheduleCases } from "./schedule.ts";
import { scheduleWorld } from "./schedule.world.ts";

const { db, done } = await openUnderNode(process.argv[2]);
const results = {
  ...(await outcomes(cronCases, ({ run }) => run())),
  ...(await outcomes(scheduleCases, ({ run }) => run(scheduleWorld(db)))),
};
await done();
console.log(JSON.stringify(results));
process.exit(0);
