/**
 * What permissions cost: `bun bench/policy.ts`. CPU µs a call (user and system), median of nine rounds; one actor with 20 rules, of which
 * twelve are about users and six have fields.
 */
import { tablesOf } from "../db/tables.ts";
import type { Actor } from "../src/core/actor.ts";
import type { Rules, StoredRule } from "../src/policy/ability.ts";
import { caslAbilities } from "../src/policy/casl.ts";
import { assertFields, mask } from "../src/policy/fields.ts";
import { may } from "../src/policy/may.ts";
import { where } from "../src/policy/where.ts";

const rules: Rules = (actor, { can, cannot }) => {
  const id = actor.type === "user" ? actor.id : "";
  can("read", "User", ["id", "name", "createdAt"], { deletedAt: null });
  can("read", "User", ["email"], { deletedAt: null, role: "admin" });
  can("read", "User", { id });
  can("update", "User", ["name", "email"], { id });
  cannot("read", "User", ["passwordHash"]);
  cannot("update", "User", ["role"], { $or: [{ id }, { role: "admin" }] });
  can("delete", "User", { id, version: { $gt: 0 } });
  cannot("read", "User", { createdAt: { $gt: "2099-01-01T00:00:00.000Z" } });
  cannot("delete", "User", { $nor: [{ role: "user" }, { email: { $in: ["a@example.com", "b@example.com"] } }] });
  can("read", "User", ["id", "name"], { role: { $in: ["admin", "user"] }, version: { $not: { $lt: 1 } } });
  cannot("read", "User", { deletedAt: { $ne: null } });
  cannot("manage", "User", { id: { $ne: id }, role: { $eq: "admin" } });
  can("read", "AuditEntry", { actorId: id });
  for (let i = 0; i < 6; i++) can("read", "AuditEntry", { entityType: "User", entityId: `${id}${i}` });
  cannot("read", "AuditEntry", { action: "user.login" });
};

const { users } = tablesOf("pg");
const factory = caslAbilities({ module: rules });
const actor = (i: number): Actor => ({ type: "user", id: `user_${i}`, role: "user", sessionId: "sess" });
const row = {
  id: "user_0",
  createdAt: "2026-01-31T09:30:00.000Z",
  updatedAt: "2026-01-31T09:30:00.000Z",
  version: 1,
  email: "ann@example.com",
  name: "Ann",
  role: "user",
  passwordHash: null,
  deletedAt: null,
};

const stored: StoredRule[] = Array.from({ length: 20 }, (_, i) => ({
  id: `rule_${i}`,
  scopeType: i < 12 ? "role" : "user",
  actions: ["list", "read"],
  subject: "User",
  fields: i % 4 === 3 ? ["remark"] : null,
  conditions: i % 2 ? { id: { $ne: { $actor: "id" } }, name: `Nobody ${i}` } : { role: "admin", name: `Nobody ${i}` },
  inverted: true,
}));

function measure(name: string, calls: number, prepare: () => (i: number) => unknown): void {
  const rounds = Array.from({ length: 9 }, () => {
    const call = prepare();
    const before = process.cpuUsage();
    for (let i = 0; i < calls; i++) call(i);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / calls;
  });
  console.log(`${name.padEnd(44)}${(rounds.sort((a, b) => a - b)[4] as number).toFixed(2).padStart(8)} µs`);
}

const known = factory.abilityFor(actor(0));

measure("build an ability of 20 rules and 20 stored ones", 20_000, () => (i) => factory.abilityFor(actor(i), stored));
measure("build an ability of 20 rules", 20_000, () => (i) => factory.abilityFor(actor(i)));
// As in a service: an ability is made, asked, and given up. What it takes to make it is the line above.
measure("build it, and its first where: key, values", 20_000, () => (i) => {
  return where(factory.abilityFor(actor(i)), "read", "User", users).key;
});
measure("build it, and its first where: and SQL", 20_000, () => (i) => {
  return where(factory.abilityFor(actor(i)), "read", "User", users).sql;
});
measure("where, known ability", 200_000, () => () => where(known, "read", "User", users));
measure("can(action, subject)", 200_000, () => () => known.can("read", "User"));
measure("may(action, row)", 100_000, () => () => may(known, "read", "User", row));
measure("mask of a row of 9 fields", 50_000, () => () => mask(known, "read", "User", row));
measure("assertFields of 2 fields", 100_000, () => () => assertFields(known, "update", "User", row, ["name", "email"]));
