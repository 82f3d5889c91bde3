/** Run by Node, where workerd's D1 and node:sqlite are: prints each case with its fault, or null. */

import { openNodeSqlite } from "../../src/ports/db/node-sqlite.ts";
import { createDatabaseLimits } from "../../src/ports/limits/database.ts";
import { openD1, openSqlite } from "../helpers/databases.ts";
import { limitsCases, movingClock } from "./limits.ts";

const { db, done } = process.argv[2] === "d1" ? await openD1() : await openSqlite("file", openNodeSqlite);
const results: Record<string, string | null> = {};
for (const { name, run } of limitsCases) {
  const clock = movingClock();
  results[name] = await run(createDatabaseLimits({ db, clock }), clock).then(
    () => null,
    (error) => String(error.stack),
  );
}
const { limit, remaining, resetMs } = await createDatabaseLimits({ db }).hit("own time", {
  limit: 2,
  windowMs: 60_000,
});
results["the database's own time"] =
  limit === 2 && remaining === 1 && Math.round(resetMs) === 30_000 ? null : `${resetMs}`;
await done();
console.log(JSON.stringify(results));
process.exit(0);
