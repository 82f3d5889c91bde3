import { sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import { value } from "../../ports/db/placeholders.ts";
import type { Builders, Db } from "../../ports/db/port.ts";
import { handle, type JobHandler } from "../../ports/queue/define.ts";
import { definePurge, inBatches } from "../../ports/queue/purge.ts";
import { schedule } from "../../ports/schedule/define.ts";

/** Stored answers whose time is over. */
export const sweepAnswers = definePurge("idempotency.sweep");

export const sweepAnswersHourly = schedule("10 * * * *", sweepAnswers, { input: {}, catchUp: true });

const deleteExpired = (q: Builders, { idempotencyKeys }: Tables) =>
  q
    .delete(idempotencyKeys)
    .where(
      sql`id in (select k.id from idempotency_keys k where k.expires_at <= ${value("now", idempotencyKeys.expiresAt)} limit ${sql.placeholder("limit")})
        and ${idempotencyKeys.expiresAt} <= ${value("now", idempotencyKeys.expiresAt)}`,
    )
    .returning({ id: idempotencyKeys.id });

export const idempotencyJobs = ({ db }: { db: Db }): JobHandler[] => [
  handle(sweepAnswers, (_, { now, signal }) =>
    inBatches({ signal }, async (limit) => {
      const [gone] = await db.atomic((tx) => [tx.prepare(deleteExpired)({ now, limit })]);
      return gone.length;
    }),
  ),
];
