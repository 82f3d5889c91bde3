/** The statements of the trail's own tables. */
import { asc, desc, sql } from "drizzle-orm/sql";
import { getTableColumns } from "drizzle-orm/utils";
import type { Tables } from "../../../db/tables.ts";
import { placeholders } from "../../ports/db/placeholders.ts";
import type { Bound, Builders, Db, Dialect, Tx } from "../../ports/db/port.ts";
import { rowsOf } from "../../ports/queue/rows.ts";
import type { Entry } from "./entry.ts";

export type SealRow = Tables["auditSeals"]["$inferSelect"];

/** An entry at its place. The entry is null where it is not there any more. */
export interface Placed {
  position: number;
  id: string;
  hash: string;
  entry: Entry | null;
}

/** As it is read: a left join, so the entry's columns may all be null. */
type PlacedRow = { [K in keyof Entry]: Entry[K] | null } & { leafPosition: number; leafId: string; leafHash: string };

const ph = sql.placeholder;
const fresh = { fresh: true };

const newest = (q: Builders, { auditSeals }: Tables) =>
  q.select(getTableColumns(auditSeals)).from(auditSeals).orderBy(desc(auditSeals.number)).limit(1);

const sealsAfter = (q: Builders, { auditSeals }: Tables) =>
  q
    .select(getTableColumns(auditSeals))
    .from(auditSeals)
    .where(sql`${auditSeals.number} > ${ph("after")}`)
    .orderBy(asc(auditSeals.number))
    .limit(100);

const sealOver = (q: Builders, { auditSeals }: Tables) =>
  q
    .select(getTableColumns(auditSeals))
    .from(auditSeals)
    .where(sql`${auditSeals.size} > ${ph("position")}`)
    .orderBy(asc(auditSeals.number))
    .limit(1);

const sealNumbered = (q: Builders, { auditSeals }: Tables) =>
  q
    .select(getTableColumns(auditSeals))
    .from(auditSeals)
    .where(sql`${auditSeals.number} = ${ph("number")}`);

const insertSeal = (q: Builders, { auditSeals }: Tables) => q.insert(auditSeals).values(placeholders(auditSeals));

const leaf = (dialect: Dialect) =>
  rowsOf(dialect, { id: "text", created_at: "instant", position: "int", hash: "text" });
const leafRows = { pg: leaf("pg"), sqlite: leaf("sqlite") };
const insertLeaves =
  (dialect: Dialect) =>
  (q: Builders, { auditLeaves }: Tables) =>
    q.insert(auditLeaves).select(sql`select r.id, r.created_at, r.position, r.hash from ${leafRows[dialect].from}`);
const leafInserts = { pg: insertLeaves("pg"), sqlite: insertLeaves("sqlite") };

/** The last of the next so many ids, sealed or not. */
const windowEnd = (q: Builders, { auditEntries }: Tables) =>
  q
    .select({ last: sql<string | null>`max(w.id)`, count: sql`count(*)`.mapWith(Number) })
    .from(
      sql`(select ${auditEntries.id} as id from ${auditEntries} where ${auditEntries.id} > ${ph("after")} order by ${auditEntries.id} limit ${ph("window")}) as w`,
    );

/** A scalar subquery is asked row by row, by the primary key. PostgreSQL makes `not exists` a join, and reads all leaves for each window. */
const openWithin = (q: Builders, { auditEntries }: Tables) =>
  q
    .select(getTableColumns(auditEntries))
    .from(auditEntries)
    .where(
      sql`${auditEntries.id} > ${ph("after")} and ${auditEntries.id} <= ${ph("last")}
        and coalesce((select 1 from audit_leaves l where l.id = ${auditEntries.id}), 0) = 0`,
    );

const placed = (q: Builders, { auditLeaves, auditEntries }: Tables) =>
  q
    .select({
      ...getTableColumns(auditEntries),
      leafPosition: auditLeaves.position,
      leafId: auditLeaves.id,
      leafHash: auditLeaves.hash,
    })
    .from(auditLeaves)
    .leftJoin(auditEntries, sql`${auditEntries.id} = ${auditLeaves.id}`)
    .where(sql`${auditLeaves.position} >= ${ph("from")} and ${auditLeaves.position} < ${ph("to")}`)
    .orderBy(asc(auditLeaves.position))
    .limit(ph("limit"));

const place = (q: Builders, { auditLeaves }: Tables) =>
  q
    .select({ position: auditLeaves.position })
    .from(auditLeaves)
    .where(sql`${auditLeaves.id} = ${ph("id")}`);

const first = (q: Builders, { auditLeaves }: Tables) =>
  q.select({ position: auditLeaves.position }).from(auditLeaves).orderBy(asc(auditLeaves.position)).limit(1);

export function createAuditStore(db: Db) {
  const rows = leafRows[db.dialect];
  return {
    async newestSeal(): Promise<SealRow | null> {
      return (await db.all(db.prepare(newest)(), fresh))[0] ?? null;
    },
    /** The next hundred, in order. */
    sealsAfter: (after: number): Promise<SealRow[]> => db.all(db.prepare(sealsAfter)({ after }), fresh),
    async seal(number: number): Promise<SealRow | null> {
      return (await db.all(db.prepare(sealNumbered)({ number }), fresh))[0] ?? null;
    },
    /** The first seal whose tree holds this position. */
    async sealOver(position: number): Promise<SealRow | null> {
      return (await db.all(db.prepare(sealOver)({ position }), fresh))[0] ?? null;
    },
    /** Of those that are not pruned. */
    async firstPosition(): Promise<number | null> {
      return (await db.all(db.prepare(first)(), fresh))[0]?.position ?? null;
    },
    async positionOf(id: string): Promise<number | null> {
      return (await db.all(db.prepare(place)({ id }), fresh))[0]?.position ?? null;
    },
    /** Of the next `window` entries after this id, those that are not sealed; and where the window ends, null when nothing comes after it. */
    async open(after: string, window: number): Promise<{ entries: Entry[]; end: string | null }> {
      const [edge] = await db.all(db.prepare(windowEnd)({ after, window }), fresh);
      if (!edge?.last) return { entries: [], end: null };
      const entries = await db.all(db.prepare(openWithin)({ after, last: edge.last }), fresh);
      return { entries, end: edge.count < window ? null : edge.last };
    },
    async placed(from: number, to: number, limit: number): Promise<Placed[]> {
      const found = await db.all(db.prepare(placed)({ from, to, limit }), fresh);
      return (found as unknown as PlacedRow[]).map(({ leafPosition, leafId, leafHash, ...entry }) => ({
        position: leafPosition,
        id: leafId,
        hash: leafHash,
        entry: entry.id === null ? null : (entry as Entry),
      }));
    },
    insertSeal: (tx: Tx, row: SealRow): Bound => tx.prepare(insertSeal)({ ...row }),
    insertLeaves: (tx: Tx, now: string, leaves: readonly { id: string; position: number; hash: string }[]): Bound =>
      tx.prepare(leafInserts[db.dialect])(rows.bind(leaves.map((row) => ({ ...row, created_at: now })))),
  };
}
