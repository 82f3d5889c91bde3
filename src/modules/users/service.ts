import type { Person } from "../../core/actor.ts";
import { idPrefixes, newId } from "../../core/id.ts";
import type { ListInput, Page } from "../../core/page.ts";
import { assertMatch, type IfMatch } from "../../core/version.ts";
import type { Ability } from "../../policy/ability.ts";
import { actingAs, type Context } from "../../policy/context.ts";
import { refused } from "../../policy/explain.ts";
import { assertFields, assertMay, show, showAll } from "../../policy/fields.ts";
import { type Db, must } from "../../ports/db/port.ts";
import type { Passwords } from "../../ports/passwords/port.ts";
import { audit } from "../audit/statement.ts";
import { keep } from "../idempotency/store.ts";
import { byDefault, type NewUser, type UserChanges } from "./schema.ts";
import { createUserStore, deleteUser, endSessions, insertUser, type User, updateUser } from "./store.ts";

/** Told when what an account may do has changed, so that no remembered token outlives it. Implemented by modules/auth. */
export interface Revocations {
  forgetUser(userId: string): void;
}

export interface UsersDeps {
  db: Db;
  passwords: Passwords;
  revocations: Revocations;
  /** What an account may do, by all layers of rules. */
  abilityOf: (actor: Person) => Promise<Ability>;
}

export type Users = ReturnType<typeof createUsers>;

export function createUsers({ db, passwords, revocations, abilityOf }: UsersDeps) {
  const store = createUserStore(db);
  const shown = (ctx: Context, user: User) => show(ctx, "User", user) as User;
  const entity = (id: string) => ({ type: "User", id });

  /** What the actor cannot see does not exist; what it sees and cannot change is forbidden. */
  async function seen(ctx: Context, id: string, ifMatch: IfMatch): Promise<User> {
    const user = await store.find(ctx, "read", id);
    if (!user) throw refused("not_found", ctx.ability, "read", "User");
    assertMatch(ifMatch, user);
    return user;
  }

  const begun = (ctx: Context, id: string, { password: _, ...input }: NewUser): User => ({
    ...input,
    id,
    createdAt: ctx.now,
    updatedAt: ctx.now,
    version: 1,
  });

  async function create(ctx: Context, id: string, input: NewUser): Promise<User> {
    const passwordHash = input.password === undefined ? null : await passwords.hash(input.password);
    const user = begun(ctx, id, input);
    await db.atomic((tx) => [
      audit(tx, ctx, { action: "user.create", entity: entity(id), after: { ...user, passwordHash } }),
      tx.prepare(insertUser)({ ...user, passwordHash, deletedAt: null }),
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
      return { ...page, items: showAll(ctx, "User", page.items) as User[] };
    },

    async create(ctx: Context, input: NewUser): Promise<User> {
      const id = newId(idPrefixes.user);
      const user = begun(ctx, id, input);
      assertMay(ctx.ability, "create", "User", user);
      // What is as it would be by default was not chosen.
      const chosen = (Object.keys(input) as (keyof NewUser)[]).filter((name) => input[name] !== byDefault[name]);
      assertFields(ctx.ability, "create", "User", user, chosen);
      return create(ctx, id, input);
    },

    /** Whoever registers acts as the account that they make, and sees of it what its owner sees. */
    async register(ctx: Context, input: Pick<NewUser, "email" | "name" | "password">): Promise<User> {
      const id = newId(idPrefixes.user);
      const actor = { type: "user", id, role: "user", sessionId: null } as const;
      return create(actingAs(ctx, actor, await abilityOf(actor)), id, { ...input, role: "user", remark: null });
    },

    async update(ctx: Context, id: string, changes: UserChanges, ifMatch: IfMatch): Promise<User> {
      const before = await seen(ctx, id, ifMatch);
      const names = Object.keys(changes) as (keyof UserChanges)[];
      assertFields(ctx.ability, "update", "User", before, names);
      if (names.every((name) => changes[name] === before[name])) return shown(ctx, before);
      const demoted = changes.role !== undefined && changes.role !== before.role;

      const after = { ...before, ...changes, version: before.version + 1, updatedAt: ctx.now } as User;
      await db.atomic((tx) => [
        audit(tx, ctx, { action: "user.update", entity: entity(id), before, after }),
        must(tx.prepare(updateUser)({ ...after, seen: before.version })),
        keep(tx, ctx, shown(ctx, after)),
      ]);
      if (demoted) revocations.forgetUser(id);
      return shown(ctx, after);
    },

    /** Ends the account and its sessions. The row stays, because the audit trail refers to it; its address is free again. */
    async remove(ctx: Context, id: string, ifMatch: IfMatch): Promise<void> {
      const before = await seen(ctx, id, ifMatch);
      assertMay(ctx.ability, "delete", "User", before);
      await db.atomic((tx) => [
        audit(tx, ctx, {
          action: "user.delete",
          entity: entity(id),
          before: { deletedAt: null },
          after: { deletedAt: ctx.now },
        }),
        must(tx.prepare(deleteUser)({ id, seen: before.version, now: ctx.now })),
        tx.prepare(endSessions)({ userId: id, now: ctx.now }),
        keep(tx, ctx, undefined),
      ]);
      revocations.forgetUser(id);
    },
  };
}
