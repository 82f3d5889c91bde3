/** Where the answers of idempotent requests are kept: beside what they answer for. */
import { eq, sql } from "drizzle-orm/sql";
import { getTableColumns } from "drizzle-orm/utils";
import type { Tables } from "../../../db/tables.ts";
import type { AnswerStore } from "../../http/idempotency.ts";
import type { Context, KeptAnswer } from "../../policy/context.ts";
import { placeholders } from "../../ports/db/placeholders.ts";
import type { Bound, Builders, Db, Dialect, Tx } from "../../ports/db/port.ts";
import { touchedBefore } from "../../ports/db/touched.ts";

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

/** Stands for the number that is known only when the change is made. No such number is counted. */
const UNKNOWN = 999_999_999_999;

const insertCounted =
  (dialect: Dialect) =>
  (q: Builders, { idempotencyKeys }: Tables) => {
    const n = touchedBefore(dialect);
    const body = sql`case when ${n} = ${sql.placeholder("most")} then ${sql.placeholder("full")} else ${sql.placeholder("head")} || ${n} || ${sql.placeholder("tail")} end`;
    return q.insert(idempotencyKeys).values({ ...placeholders(idempotencyKeys), body } as never);
  };
const counted = { pg: insertCounted("pg"), sqlite: insertCounted("sqlite") };

/**
 * As `keep`, for an answer that tells how many rows the statement before it in the list has touched. `answer` is what the verb will return for
 * a number; it differs in nothing but the number, unless that is `most`.
 */
export function keepCount(
  { db, tx }: { db: Db; tx: Tx },
  ctx: Context,
  answer: (count: number) => unknown,
  most: number,
): Bound | null {
  if (ctx.keep === null) return null;
  const { body, ...rest } = ctx.keep(answer(UNKNOWN));
  // The first one: what the client calls its request comes later, and may be any text.
  const place = body.indexOf(String(UNKNOWN));
  const [head, tail] = [body.slice(0, place), body.slice(place + String(UNKNOWN).length)];
  const full = ctx.keep(answer(most)).body;
  return tx.prepare(counted[db.dialect])({ ...rest, createdAt: ctx.now, head, tail, most, full });
}

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
