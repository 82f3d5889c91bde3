/** Reading the trail, as far as the reader may. */
import { and, sql } from "drizzle-orm/sql";
import { AppError } from "../../core/error.ts";
import type { ListInput, Page } from "../../core/page.ts";
import type { Context } from "../../policy/context.ts";
import { whereListed } from "../../policy/listed.ts";
import type { Subjects } from "../../policy/subjects.ts";
import { pages } from "../../ports/db/page.ts";
import { value } from "../../ports/db/placeholders.ts";
import type { Db } from "../../ports/db/port.ts";
import type { Entry } from "./entry.ts";
import { exportLines } from "./export.ts";
import { auditColumns } from "./policy.ts";
import { diffOf, shownTo } from "./shown.ts";
import { audit } from "./statement.ts";
import { createAuditStore } from "./store.ts";

export type Audit = ReturnType<typeof createAudit>;

/** Which row a change was made to, and which read is noted: `id` is `*` where it was about more than one. */
export interface Entity {
  type: string;
  id: string;
}

export function createAudit({ db, subjects }: { db: Db; subjects: Subjects }) {
  const { auditEntries } = db.tables;
  const store = createAuditStore(db);
  const columns = auditColumns(db.tables);
  const list = pages<Entry>(db, {
    columns: auditColumns,
    from: (q, { auditEntries }, selected) => q.select(selected as typeof columns).from(auditEntries) as never,
  });
  const about = sql`${auditEntries.entityType} = ${value("auditType", auditEntries.entityType)}
    and ${auditEntries.entityId} = ${value("auditId", auditEntries.entityId)}`;

  async function page(ctx: Context, input: ListInput, entity: Entity | null): Promise<Page<Partial<Entry>>> {
    const may = whereListed(ctx.ability, "AuditEntry", columns, input);
    if (may.never) return { items: [], more: false, total: input.count ? 0 : null };
    const condition = entity
      ? {
          key: `${may.key} of one`,
          sql: and(may.sql, about),
          values: { ...may.values, auditType: entity.type, auditId: entity.id },
        }
      : may;
    const found = await list(input, condition, ctx);
    return { ...found, items: found.items.map((entry) => shownTo(subjects, ctx.ability, entry)) };
  }

  return {
    list: (ctx: Context, input: ListInput) => page(ctx, input, null),

    async history(ctx: Context, entity: Entity, input: ListInput) {
      const found = await page(ctx, input, entity);
      return { ...found, items: found.items.map((entry) => ({ ...entry, diff: diffOf(entry) })) };
    },

    /** The trail behind a seal as lines (export.ts). What the reader may not see is left out of an entry, which its leaf then stands for. */
    async export(ctx: Context, after: number): Promise<AsyncIterable<string>> {
      if (after > 0 && !(await store.seal(after))) throw new AppError("not_found");
      const shown = (entry: Entry) => shownTo(subjects, ctx.ability, entry) as Entry;
      return exportLines(db, { after, shown, signal: ctx.signal });
    },

    /** Notes that something was read. */
    async noteRead(ctx: Context, action: string, entity: Entity): Promise<void> {
      await db.atomic((tx) => [audit(tx, ctx, { action, entity })]);
    },
  };
}
