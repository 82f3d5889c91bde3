import { type pgTables, secretNames } from "../../../db/tables.ts";
import { actingOf, actorId } from "../../core/actor.ts";
import { newId } from "../../core/id.ts";
import type { Context } from "../../policy/context.ts";
import { placeholders } from "../../ports/db/placeholders.ts";
import type { Bound, Builders, Tx } from "../../ports/db/port.ts";

type Row = Record<string, unknown>;

export interface Change {
  /** `<noun>.<verb>`, such as `user.update`. */
  action: string;
  entity: { type: string; id: string };
  /** The row before; null or absent when it is new. */
  before?: Row | null;
  /** The row after; null or absent when it is gone. */
  after?: Row | null;
}

const insertEntry = (q: Builders, { auditEntries }: typeof pgTables) =>
  q.insert(auditEntries).values(placeholders(auditEntries));

/**
 * The statement that records a change, for the atomic list of the change itself; the first of the list where triggers look for changes
 * that nobody recorded (sql/<dialect>/050_audit_direct.sql). It keeps what differs between `before` and `after`; of a
 * secret column only that it changed.
 */
export function audit(tx: Tx, ctx: Context, { action, entity, before, after }: Change): Bound {
  const [oldValue, newValue] = difference(before ?? null, after ?? null);
  return tx.prepare(insertEntry)({
    id: newId("aud"),
    createdAt: ctx.now,
    actorType: ctx.actor.type,
    actorId: actorId(ctx.actor),
    ...actingOf(ctx.actor),
    action,
    entityType: entity.type,
    entityId: entity.id,
    oldValue,
    newValue,
    requestId: ctx.requestId,
    traceId: ctx.traceId,
    reason: ctx.reason,
    address: ctx.address,
    userAgent: ctx.userAgent,
  });
}

/** Kept by every row, and told by the entry itself. */
const UNTOLD = new Set(["id", "createdAt", "updatedAt", "version"]);

function difference(before: Row | null, after: Row | null): [Row | null, Row | null] {
  const names = Object.keys({ ...before, ...after }).filter((name) => !UNTOLD.has(name));
  const changed = before && after ? names.filter((name) => !same(before[name], after[name])) : names;
  const pick = (row: Row | null) =>
    row &&
    Object.fromEntries(changed.map((name) => [name, told(name, row[name])]).filter(([, value]) => value !== undefined));
  return [pick(before), pick(after)];
}

const told = (name: string, value: unknown) =>
  value !== null && value !== undefined && secretNames.has(name) ? "[changed]" : value;
const same = (a: unknown, b: unknown) => a === b || JSON.stringify(a) === JSON.stringify(b);
