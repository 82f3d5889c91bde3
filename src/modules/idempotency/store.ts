/** Where the answers of idempotent requests are kept: beside what they answer for. */
import { eq, sql } from "drizzle-orm/sql";
import { getTableColumns } from "drizzle-orm/utils";
import type { Tables } from "../../../db/tables.ts";
import type { AnswerStore } from "../../http/idempotency.ts";
import type { Context, KeptAnswer } from "../../policy/context.ts";
import { placeholders } from "../../ports/db/placeholders.ts";
import type { Bound, Builders, Db, Tx } from "../../ports/db/port.ts";

const insertAnswer = (q: Builders, { idempotencyKeys }: Tables) =>
  q.insert(idempotencyKeys).values(placeholders(idempotencyKeys));

const selectAnswer = (q: Builders, { idempotencyKeys }: Tables) =>
  q
    .select(getTableColumns(idempotencyKeys))
    .from(idempotencyKeys)
    .where(eq(idempotencyKeys.id, sql.placeholder("id")));

/** The time of the key is up: it may be used again. */
const deleteExpired = (q: Builders, { idempotencyKeys }: Tables) =>
  q
    .delete(idempotencyKeys)
    .where(
      sql`${idempotencyKeys.id} = ${sql.placeholder("id")} and ${idempotencyKeys.expiresAt} <= ${sql.placeholder("now")}`,
    );

const bound = (tx: Tx, now: string, answer: KeptAnswer): Bound =>
  tx.prepare(insertAnswer)({ ...answer, createdAt: now });

/**
 * The statement that keeps the answer to this request, for the atomic list of the change that it answers; null for a request without an
 * `Idempotency-Key`. `value` is what the verb will return.
 */
export const keep = (tx: Tx, ctx: Context, value: unknown): Bound | null =>
  ctx.keep === null ? null : bound(tx, ctx.now, ctx.keep(value));

export function createAnswers(db: Db, now: () => string): AnswerStore {
  return {
    async find(id) {
      const [row] = await db.all(db.prepare(selectAnswer)({ id }), { fresh: true });
      if (!row) return null;
      if (row.expiresAt > now()) return row;
      await db.atomic((tx) => [tx.prepare(deleteExpired)({ id, now: now() })]);
      return null;
    },
    async put(answer) {
      await db.atomic((tx) => [bound(tx, now(), answer)]);
    },
  };
}
