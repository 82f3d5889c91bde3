import type { Actor } from "../../core/actor.ts";
import { AppError } from "../../core/error.ts";
import { idPrefixes, newId } from "../../core/id.ts";
import type { ListInput, Page } from "../../core/page.ts";
import { assertMatch, type IfMatch } from "../../core/version.ts";
import type { AbilityFactory } from "../../policy/ability.ts";
import type { Context } from "../../policy/context.ts";
import { assertFields, mask, maskAll } from "../../policy/fields.ts";
import { type Db, must } from "../../ports/db/port.ts";
import type { Passwords } from "../../ports/passwords/port.ts";
import { audit } from "../audit/statement.ts";
import { keep } from "../idempotency/store.ts";
import type { NewUser, UserChanges } from "./schema.ts";
import { createUserStore, deleteUser, endSessions, insertUser, type User, updateUser } from "./store.ts";

/** Told when what an account may do has changed, so that no remembered token outlives it. Implemented by modules/auth. */
export interface Revocations {
  forgetUser(userId: string): void;
}

export interface UsersDeps {
  db: Db;
  passwords: Passwords;
  revocations: Revocations;
  abilities: AbilityFactory;
}

export type Users = ReturnType<typeof createUsers>;

export function createUsers({ db, passwords, revocations, abilities }: UsersDeps) {
  const store = createUserStore(db);
  const shown = (ctx: Context, user: User) => mask(ctx.ability, "read", "User", user) as User;
  const entity = (id: string) => ({ type: "User", id });

  /** What the actor cannot see does not exist; what it sees and cannot change is forbidden. */
  async function seen(ctx: Context, id: string, ifMatch: IfMatch): Promise<User> {
    const user = await store.find(ctx, "read", id);
    if (!user) throw new AppError("not_found");
    assertMatch(ifMatch, user);
    return user;
  }

  async function create(ctx: Context, id: string, { password, ...input }: NewUser): Promise<User> {
    const passwordHash = password === undefined ? null : await passwords.hash(password);
    const user: User = { ...input, id, createdAt: ctx.now, updatedAt: ctx.now, version: 1 };
    await db.atomic((tx) => [
      tx.prepare(insertUser)({ ...user, passwordHash, deletedAt: null }),
      audit(tx, ctx, { action: "user.create", entity: entity(id), after: { ...user, passwordHash } }),
      keep(tx, ctx, shown(ctx, user)),
    ]);
    return shown(ctx, user);
  }

  return {
    async get(ctx: Context, id: string): Promise<User> {
      return shown(ctx, await seen(ctx, id, null));
    },

    async list(ctx: Context, input: ListInput): Promise<Page<User>> {
      const page = await store.page(ctx, input);
      return { ...page, items: maskAll(ctx.ability, "read", "User", page.items) as User[] };
    },

    create: (ctx: Context, input: NewUser): Promise<User> => create(ctx, newId(idPrefixes.user), input),

    /** Whoever registers acts as the account that they make, and sees of it what its owner sees. */
    register(ctx: Context, input: Pick<NewUser, "email" | "name" | "password">): Promise<User> {
      const id = newId(idPrefixes.user);
      const actor: Actor = { type: "user", id, role: "user", sessionId: null };
      const owner = { ...ctx, actor, ability: abilities.abilityFor(actor) };
      return create(owner, id, { ...input, role: "user", remark: null });
    },

    async update(ctx: Context, id: string, changes: UserChanges, ifMatch: IfMatch): Promise<User> {
      const before = await seen(ctx, id, ifMatch);
      const names = Object.keys(changes) as (keyof UserChanges)[];
      assertFields(ctx.ability, "update", "User", before, names);
      if (names.every((name) => changes[name] === before[name])) return shown(ctx, before);
      const demoted = changes.role !== undefined && changes.role !== before.role;
      if (demoted) refuseSelf(ctx, id, "role");

      const after = { ...before, ...changes, version: before.version + 1, updatedAt: ctx.now } as User;
      await db.atomic((tx) => [
        must(tx.prepare(updateUser)({ ...after, seen: before.version })),
        audit(tx, ctx, { action: "user.update", entity: entity(id), before, after }),
        keep(tx, ctx, shown(ctx, after)),
      ]);
      if (demoted) revocations.forgetUser(id);
      return shown(ctx, after);
    },

    /** Ends the account and its sessions. The row stays, because the audit trail refers to it; its address is free again. */
    async remove(ctx: Context, id: string, ifMatch: IfMatch): Promise<void> {
      const before = await seen(ctx, id, ifMatch);
      refuseSelf(ctx, id, "account");
      await db.atomic((tx) => [
        must(tx.prepare(deleteUser)({ id, seen: before.version, now: ctx.now })),
        tx.prepare(endSessions)({ userId: id, now: ctx.now }),
        audit(tx, ctx, {
          action: "user.delete",
          entity: entity(id),
          before: { deletedAt: null },
          after: { deletedAt: ctx.now },
        }),
        keep(tx, ctx, undefined),
      ]);
      revocations.forgetUser(id);
    },
  };
}

/** An administrator who ends or demotes themselves may be the last one. */
function refuseSelf({ actor }: Context, id: string, what: string): void {
  if (actor.type === "user" && actor.id === id) {
    throw new AppError("conflict", {
      detail: `Administrators do not change their own ${what}; another one has to do it.`,
    });
  }
}
