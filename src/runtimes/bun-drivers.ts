import { openBunSqlite } from "../ports/db/bun-sqlite.ts";
import type { Drivers } from "./open-db.ts";

/** For the server and for the commands, which run on Bun. */
export const bunDrivers: Drivers = {
  openSqlite: openBunSqlite,
  openPostgres: async () => (await import("../ports/db/bun-sql.ts")).createBunSql,
};
