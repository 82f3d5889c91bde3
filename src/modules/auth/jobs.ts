import { sql } from "drizzle-orm/sql";
import { z } from "zod";
import type { Tables } from "../../../db/tables.ts";
import { addMs } from "../../core/clock.ts";
import { value } from "../../ports/db/placeholders.ts";
import type { Builders, Db } from "../../ports/db/port.ts";
import { defineJob, handle, type JobHandler } from "../../ports/queue/define.ts";
import { schedule } from "../../ports/schedule/define.ts";

/** Sessions that ended long ago, with their refresh tokens. The audit trail keeps who was logged in. */
export const sweepSessions = defineJob({
  name: "auth.sweep-sessions",
  input: z.object({}),
  result: z.object({ deleted: z.number() }),
  unique: { key: () => "one", mode: "skip" },
});

export const sweepSessionsDaily = schedule("20 3 * * *", sweepSessions, { input: {}, catchUp: true });

/** For so long an ended session can still be looked at, and a refresh token that is used twice be recognised. */
const KEEP_MS = 7 * 24 * 3_600_000;
const BATCH = 1000;

const deleteEnded = (q: Builders, { sessions }: Tables) =>
  q
    .delete(sessions)
    .where(
      sql`id in (select s.id from sessions s where s.expires_at < ${value("before", sessions.expiresAt)} limit ${BATCH})`,
    )
    .returning({ id: sessions.id });

export const authJobs = ({ db }: { db: Db }): JobHandler[] => [
  handle(sweepSessions, async (_, { now, signal }) => {
    const before = addMs(now, -KEEP_MS);
    let deleted = 0;
    for (let count = BATCH; count === BATCH && !signal.aborted; ) {
      const [gone] = await db.atomic((tx) => [tx.prepare(deleteEnded)({ before })]);
      count = gone.length;
      deleted += count;
    }
    return { deleted };
  }),
];
