/**
 * Limits of several processes with no server but the database: one upsert a hit, whose condition the engine checks under the row's lock.
 * The time is the database's own, so that the instances' clocks may differ.
 */
import { eq, lte, type SQL, sql } from "drizzle-orm";
import type { Tables } from "../../../db/tables.ts";
import type { Clock } from "../../core/clock.ts";
import type { Builders, Db, Dialect } from "../db/port.ts";
import { increment, SLACK_MS, verdict } from "./gcra.ts";
import type { Limits } from "./port.ts";

interface DatabaseOptions {
  db: Db;
  /** In place of the database's time, for tests. */
  clock?: Clock;
}

/** Milliseconds since the epoch, the same wherever they stand in one statement. */
const serverTime: Record<Dialect, SQL> = {
  pg: sql`extract(epoch from statement_timestamp()) * 1000`,
  sqlite: sql`unixepoch('now', 'subsec') * 1000`,
};

const number = (name: string) => sql`cast(${sql.placeholder(name)} as double precision)`;

export function createDatabaseLimits({ db, clock }: DatabaseOptions): Limits {
  const statements = statementsOf(db.dialect);
  const time = () => clock?.now() ?? null;

  return {
    async hit(key, rule, cost = 1) {
      const step = increment(rule, cost);
      const hit = { key, step, most: rule.windowMs + SLACK_MS, now: time() };
      const [passed] = await db.atomic((tx) => [tx.prepare(statements.hit)(hit)]);
      if (passed[0]) return verdict(rule, cost, true, passed[0].emptyAt, passed[0].now);
      const [row] = await db.all(db.prepare(statements.look)({ key, now: hit.now }), { fresh: true });
      // Without a row another call has reset the key since: this hit was refused all the same.
      return row ? verdict(rule, cost, false, row.emptyAt, row.now) : verdict(rule, cost, false, 0, 0);
    },
    async reset(key) {
      await db.atomic((tx) => [tx.prepare(statements.reset)({ key })]);
    },
    async sweep() {
      await db.atomic((tx) => [tx.prepare(statements.sweep)({ now: time() })]);
    },
    ping: () => db.ping(),
    async close() {},
  };
}

/** A refused hit touches no row, and so writes nothing. */
function statementsOf(dialect: Dialect) {
  const now = sql<number>`coalesce(${number("now")}, ${serverTime[dialect]})`.mapWith(Number);
  const after = ({ limitCounters: t }: Tables) =>
    sql`case when ${t.emptyAt} > ${now} then ${t.emptyAt} else ${now} end + ${number("step")}`;
  return {
    hit: (q: Builders, tables: Tables) =>
      q
        .insert(tables.limitCounters)
        .values({ id: sql.placeholder("key"), emptyAt: sql`${now} + ${number("step")}` })
        .onConflictDoUpdate({
          target: tables.limitCounters.id,
          set: { emptyAt: after(tables) },
          setWhere: sql`${after(tables)} <= ${now} + ${number("most")}`,
        })
        .returning({ emptyAt: tables.limitCounters.emptyAt, now }),
    look: (q: Builders, { limitCounters: t }: Tables) =>
      q
        .select({ emptyAt: t.emptyAt, now })
        .from(t)
        .where(eq(t.id, sql.placeholder("key"))),
    reset: (q: Builders, { limitCounters: t }: Tables) => q.delete(t).where(eq(t.id, sql.placeholder("key"))),
    sweep: (q: Builders, { limitCounters: t }: Tables) => q.delete(t).where(lte(t.emptyAt, now)),
  };
}
