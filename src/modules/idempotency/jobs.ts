import { sql } from "drizzle-orm/sql";
import { z } from "zod";
import type { Tables } from "../../../db/tables.ts";
import { value } from "../../ports/db/placeholders.ts";
import type { Builders, Db } from "../../ports/db/port.ts";
import { defineJob, handle, type JobHandler } from "../../ports/queue/define.ts";
import { schedule } from "../../ports/schedule/define.ts";

/** Stored answers whose time is over. */
export const sweepAnswers = defineJob({
  name: "idempotency.sweep",
  input: z.object({}),
  result: z.object({ deleted: z.number() }),
  unique: { key: () => "one", mode: "skip" },
});

export const sweepAnswersHourly = schedule("10 * * * *", sweepAnswers, { input: {}, catchUp: true });

const BATCH = 1000;

const deleteExpired = (q: Builders, { idempotencyKeys }: Tables) =>
  q
    .delete(idempotencyKeys)
    .where(
      sql`id in (select k.id from idempotency_keys k where k.expires_at <= ${value("now", idempotencyKeys.expiresAt)} limit ${BATCH})
        and ${idempotencyKeys.expiresAt} <= ${value("now", idempotencyKeys.expiresAt)}`,
    )
    .returning({ id: idempotencyKeys.id });

export const idempotencyJobs = ({ db }: { db: Db }): JobHandler[] => [
  handle(sweepAnswers, async (_, { now, signal }) => {
    let deleted = 0;
    for (let count = BATCH; count === BATCH && !signal.aborted; ) {
      const [gone] = await db.atomic((tx) => [tx.prepare(deleteExpired)({ now })]);
      count = gone.length;
      deleted += count;
    }
    return { deleted };
  }),
];
