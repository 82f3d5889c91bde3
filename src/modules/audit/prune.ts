/**
 * Retention: whole seals at the beginning are given up, after they were exported. First a seal says so, signed; then rows are deleted,
 * which the triggers allow for just these. What remains is verified as before, from the peaks of the seals that stay.
 */
import { sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import type { Instant } from "../../core/clock.ts";
import { AppError } from "../../core/error.ts";
import type { Context } from "../../policy/context.ts";
import type { Builders, Db } from "../../ports/db/port.ts";
import type { KeySet } from "../auth/keys.ts";
import { createSealing } from "./sealing.ts";
import { audit } from "./statement.ts";
import { createAuditStore, type SealRow } from "./store.ts";
import type { Report } from "./verify.ts";

export interface PruneDeps {
  db: Db;
  keys: KeySet;
}

export interface Pruned {
  /** The last seal whose entries are gone; 0: none. */
  seal: number;
  /** How many rows were deleted just now. */
  deleted: number;
}

const BATCH = 5000;

const chosen = sql`(select l.id from audit_leaves l where l.position >= ${sql.placeholder("from")} and l.position < ${sql.placeholder("to")})`;
const deleteEntries = (q: Builders, { auditEntries }: Tables) =>
  q.delete(auditEntries).where(sql`${auditEntries.id} in ${chosen}`).returning({ id: auditEntries.id });
const deleteLeaves = (q: Builders, { auditLeaves }: Tables) =>
  q
    .delete(auditLeaves)
    .where(
      sql`${auditLeaves.position} >= ${sql.placeholder("from")} and ${auditLeaves.position} < ${sql.placeholder("to")}`,
    );

/**
 * Gives up the seals that were made before `before` and are whole in the export, whose verification this is. Cut short, it goes on when it is
 * called again. Throws `conflict` for an export that does not prove all of them.
 */
export async function prune(
  { db, keys }: PruneDeps,
  ctx: Context,
  before: Instant,
  exported: Pick<Report, "faults" | "masked" | "start" | "newest">,
): Promise<Pruned> {
  const store = createAuditStore(db);
  const newest = await store.newestSeal();
  if (!newest) return { seal: 0, deleted: 0 };
  let last: SealRow | null = null;
  for (let after = 0, more = true; more; ) {
    const page = await store.sealsAfter(after);
    for (const row of page) if (row.createdAt < before && row.size > 0) last = row;
    more = page.length > 0 && page.every(({ createdAt }) => createdAt < before);
    after = page.at(-1)?.number ?? after;
  }
  const size = last?.size ?? 0;
  if (last && size > newest.pruned) {
    refuse(exported.faults.length > 0, "The export does not verify.");
    refuse(exported.masked > 0, "The export does not show all of its entries.");
    refuse(
      exported.start > newest.pruned,
      `The export begins at ${exported.start}, and ${newest.pruned} is the first that is kept.`,
    );
    refuse((exported.newest?.size ?? 0) < size, "The export ends before the seals that would be pruned.");
    const { number } = last;
    await createSealing({ db, keys }).giveUp(size, ctx.now, (tx) => [
      audit(tx, ctx, {
        action: "audit.prune",
        entity: { type: "AuditSeal", id: String(number) },
        before: { pruned: newest.pruned },
        after: { pruned: size },
      }),
    ]);
  }
  const upTo = Math.max(size, newest.pruned);
  let deleted = 0;
  for (let from = await store.firstPosition(); from !== null && from < upTo; from += BATCH) {
    const range = { from, to: Math.min(from + BATCH, upTo) };
    const [gone] = await db.atomic((tx) => [tx.prepare(deleteEntries)(range), tx.prepare(deleteLeaves)(range)]);
    deleted += gone.length;
  }
  return { seal: upTo === size ? (last?.number ?? 0) : 0, deleted };
}

function refuse(wrong: boolean, detail: string): void {
  if (wrong) throw new AppError("conflict", { detail });
}
