/** Run by Node, where workerd's D1 and node:sqlite are: prints each case with its fault, or null. */
import { openNodeSqlite } from "../../src/ports/db/node-sqlite.ts";
import { openD1, openSqlite } from "../helpers/databases.ts";
import { outcomes } from "../helpers/peer.ts";
import { cronCases } from "./cron.ts";
import { scheduleCases } from "./schedule.ts";
import { scheduleWorld } from "./schedule.world.ts";

const { db, done } = process.argv[2] === "d1" ? await openD1() : await openSqlite("file", openNodeSqlite);
const results = {
  ...(await outcomes(cronCases, ({ run }) => run())),
  ...(await outcomes(scheduleCases, ({ run }) => run(scheduleWorld(db)))),
};
await done();
console.log(JSON.stringify(results));
process.exit(0);
