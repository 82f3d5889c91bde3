import type { Db } from "../db/port.ts";
import { pgClaim } from "./claim-pg.ts";
import { sqliteClaim } from "./claim-sqlite.ts";
import type { Claim } from "./claiming.ts";

export const createClaim = (db: Db): Claim => (db.dialect === "pg" ? pgClaim(db) : sqliteClaim(db));
