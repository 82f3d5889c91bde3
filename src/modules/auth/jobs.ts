import { sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import { addMs } from "../../core/clock.ts";
import { value } from "../../ports/db/placeholders.ts";
import type { Builders, Db } from "../../ports/db/port.ts";
import { handle, type JobHandler } from "../../ports/queue/define.ts";
import { definePurge, inBatches } from "../../ports/queue/purge.ts";
import { schedule } from "../../ports/schedule/define.ts";

/** Sessions that ended long ago, with their refresh tokens. The audit trail keeps who was logged in. */
export const sweepSessions = definePurge("auth.sweep-sessions");

export const sweepSessionsDaily = schedule("20 3 * * *", sweepSessions, { input: {}, catchUp: true });

/** For so long an ended session can still be looked at, and a refresh token that is used twice be recognised. */
const KEEP_MS = 7 * 24 * 3_600_000;

const deleteEnded = (q: Builders, { sessions }: Tables) =>
  q
    .delete(sessions)
    .where(
      sql`id in (select s.id from sessions s where s.expires_at < ${value("before", sessions.expiresAt)} limit ${sql.placeholder("limit")})`,
    )
    .returning({ id: sessions.id });

export const authJobs = ({ db }: { db: Db }): JobHandler[] => [
  handle(sweepSessions, (_, { now, signal }) => {
    const before = addMs(now, -KEEP_MS);
    return inBatches({ signal }, async (limit) => {
      const [gone] = await db.atomic((tx) => [tx.prepare(deleteEnded)({ before, limit })]);
      return gone.length;
    });
  }),
];
