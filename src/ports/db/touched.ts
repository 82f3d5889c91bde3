/** What a statement of a list can know of the one before it: for an answer that commits with the change that it counts. */
import { type SQL, sql } from "drizzle-orm/sql";
import type { Dialect } from "./port.ts";

/** What PostgreSQL calls the rows of the statement before, which has to return some; see fold.ts. */
export const BEFORE = "hearth_before";

/** How many rows the statement before has touched. PostgreSQL knows it only in a list that is one statement: it refuses others. */
export const touchedBefore = (dialect: Dialect): SQL<number> =>
  dialect === "pg" ? sql`(select count(*) from ${sql.raw(BEFORE)})` : sql`changes()`;
