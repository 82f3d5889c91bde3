import { and, eq, isNull, sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import type { ListInput, Page } from "../../core/page.ts";
import type { Action } from "../../policy/ability.ts";
import type { Context } from "../../policy/context.ts";
import { whereListed } from "../../policy/listed.ts";
import { type Where, where } from "../../policy/where.ts";
import { pages } from "../../ports/db/page.ts";
import { placeholders, value } from "../../ports/db/placeholders.ts";
import type { Builders, Db } from "../../ports/db/port.ts";
import { remembered } from "../../ports/db/remembered.ts";

/** The columns that a verb may look at: all but the password's hash. */
export const userColumns = ({ users }: Tables) => ({
  id: users.id,
  createdAt: users.createdAt,
  updatedAt: users.updatedAt,
  version: users.version,
  email: users.email,
  name: users.name,
  role: users.role,
  remark: users.remark,
});

/** An account that has ended is nobody's. */
export const userBase = ({ users }: Tables) => isNull(users.deletedAt);

export type User = Pick<Tables["users"]["$inferSelect"], keyof ReturnType<typeof userColumns>>;

export const insertUser = (q: Builders, { users }: Tables) => q.insert(users).values(placeholders(users));

/** Writes the whole next state over the version that was seen: `seen` is bound beside the row. */
export const updateUser = (q: Builders, { users }: Tables) =>
  q
    .update(users)
    .set({
      email: value("email", users.email),
      name: value("name", users.name),
      role: value("role", users.role) as never,
      remark: value("remark", users.remark),
      updatedAt: value("updatedAt", users.updatedAt),
      version: value("version", users.version),
    })
    .where(and(eq(users.id, sql.placeholder("id")), eq(users.version, sql.placeholder("seen"))));

/** The row stays; it is part of nothing any more. */
export const deleteUser = (q: Builders, { users }: Tables) =>
  q
    .update(users)
    .set({
      deletedAt: value("now", users.deletedAt),
      updatedAt: value("now", users.updatedAt),
      version: sql`${users.version} + 1`,
    })
    .where(and(eq(users.id, sql.placeholder("id")), eq(users.version, sql.placeholder("seen"))));

export const endSessions = (q: Builders, { sessions }: Tables) =>
  q
    .update(sessions)
    .set({
      revokedAt: value("now", sessions.revokedAt),
      updatedAt: value("now", sessions.updatedAt),
      version: sql`${sessions.version} + 1`,
    })
    .where(and(eq(sessions.userId, sql.placeholder("userId")), isNull(sessions.revokedAt)));

export function createUserStore(db: Db) {
  const columns = userColumns(db.tables);
  const list = pages<User>(db, {
    columns: userColumns,
    from: (q, { users }, selected) => q.select(selected as typeof columns).from(users) as never,
    base: userBase,
  });
  const oneFor = remembered(
    (condition: Where) => condition.key,
    (condition) => (q: Builders, tables: Tables) =>
      q
        .select(columns)
        .from(tables.users)
        .where(and(eq(tables.users.id, sql.placeholder("id")), userBase(tables), condition.sql)),
  );

  return {
    /** The user, if it exists for an actor that wants to do this to it. */
    async find(ctx: Context, action: Action, id: string): Promise<User | null> {
      const condition = where(ctx.ability, action, "User", columns);
      if (condition.never) return null;
      const [row] = await db.all(db.prepare(oneFor(condition))({ id, ...condition.values }), ctx);
      return row ?? null;
    },
    async page(ctx: Context, input: ListInput): Promise<Page<User>> {
      const condition = whereListed(ctx.ability, "User", columns, input);
      return condition.never ? { items: [], more: false, total: input.count ? 0 : null } : list(input, condition, ctx);
    },
  };
}
