import type { Dispatch } from "./port.ts";

/** The workers claim due rows themselves. Nothing but the database is needed. */
export const databaseDispatch: Dispatch = { name: "database", carrier: null };
