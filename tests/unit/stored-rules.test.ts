/** Stored rules in one instance: when they are asked for, what becomes of those that nobody understands, and how refusals are explained. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { newId } from "../../src/core/id.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { movingClock } from "../contracts/limits.ts";
import { openApp } from "../helpers/app.ts";
import { type Opened, openPglite, openSqlite } from "../helpers/databases.ts";

const engines: [string, () => Promise<Opened>][] = [
  ["PGlite", () => openPglite("memory", openBunSqlite)],
  ["SQLite", () => openSqlite("memory", openBunSqlite)],
];

describe.each(engines)("On %s", (engine, open) => {
  let opened: Opened;
  let db: Db;
  /** The texts of all reads, since it was last emptied. */
  let reads: string[];
  beforeEach(async () => {
    opened = await open();
    reads = [];
    db = {
      ...opened.db,
      all: (statement, options) => {
        reads.push((statement as { compiled: { text: string } }).compiled.text);
        return opened.db.all(statement, options);
      },
    };
  });
  afterEach(() => opened.done());

  const setUp = async (mode: "development" | "test" = "test", stateTtlMs = 1000) => {
    const clock = movingClock();
    const opened = await openApp({ db, clock, mode, stateTtlMs });
    const rule = (id: string, own: object) =>
      opened.ask(opened.admin, "POST", "/v1/policy/rules", {
        scopeType: "user",
        scopeId: id,
        subject: "User",
        actions: ["read"],
        ...own,
      });
    return { ...opened, clock, rule, ann: await opened.person("ann@example.com") };
  };
  /** Written beside the service, unchecked. */
  const write = (row: Record<string, unknown>) =>
    opened.db.atomic((tx) => [
      tx.insert(opened.db.tables.policyRules).values({
        id: newId("rule"),
        scopeType: "user",
        subject: "User",
        actions: ["read"],
        fields: null,
        conditions: null,
        inverted: false,
        priority: 0,
        ...row,
      } as never),
    ]);
  const ofRules = () =>
    reads.filter((text) => /^select .*from "policy_rules"/i.test(text) && !/from "sessions"/i.test(text));

  test("a request asks no more for rules than for its bearer, once a second, and reads them when they have changed", async () => {
    const { ask, ann, rule, clock } = await setUp();
    await rule(ann.id, { fields: ["remark"] });
    const look = async () => {
      reads.length = 0;
      expect((await ask(ann.token, "GET", "/v1/me")).status).toBe(200);
      return [reads.length, ofRules().length];
    };
    expect(await look()).toEqual([3, 1]);
    expect(await look()).toEqual([1, 0]);
    clock.move(1001);
    expect(await look()).toEqual([2, 0]);
    await rule(ann.id, { fields: ["email"], inverted: true });
    expect(await look()).toEqual([3, 1]);
    expect(await look()).toEqual([1, 0]);
  });

  test("the rules of a role are read once for everybody of it", async () => {
    const { ask, ann, admin, person } = await setUp();
    const bob = await person("bob@example.com");
    const rule = { scopeType: "role", scopeId: "user", subject: "User", actions: ["read"], fields: ["remark"] };
    expect((await ask(admin, "POST", "/v1/policy/rules", rule)).status).toBe(201);
    reads.length = 0;
    for (const { token } of [ann, bob]) expect((await ask(token, "GET", "/v1/me")).data.remark).toBeNull();
    expect(ofRules()).toHaveLength(1);
  });

  test("where no instance hears of another, the next request sees what was changed elsewhere, also by SQL", async () => {
    const { ask, ann } = await setUp("test", 0);
    const sees = async () => Object.hasOwn((await ask(ann.token, "GET", "/v1/me")).data, "email");
    expect(await sees()).toBe(true);
    const id = newId("rule");
    await write({ id, scopeId: ann.id, fields: ["email"], inverted: true });
    expect(await sees()).toBe(false);
    const { policyRules } = opened.db.tables;
    await opened.db.atomic((tx) => [
      tx
        .update(policyRules)
        .set({ fields: ["name"] })
        .where(sql`${policyRules.id} = ${id}`),
    ]);
    expect(await sees()).toBe(true);
    await opened.db.atomic((tx) => [
      tx
        .update(policyRules)
        .set({ fields: ["email"] })
        .where(sql`${policyRules.id} = ${id}`),
    ]);
    expect(await sees()).toBe(false);
    await opened.db.atomic((tx) => [tx.delete(policyRules).where(sql`${policyRules.id} = ${id}`)]);
    expect(await sees()).toBe(true);
  });

  const unknown: [what: string, row: Record<string, unknown>][] = [
    ["a column that is gone", { conditions: { nick: "Ann" } }],
    ["a value of another type", { conditions: { name: 3 } }],
    ["a variable that no actor has", { conditions: { id: { $actor: "sessionId" } } }],
    ["an action that there is not", { actions: ["frobnicate"] }],
    ["a field that is gone", { fields: ["nick"] }],
    ["no list of actions", { actions: { 0: "read" } }],
  ];
  // It is not for the engine to decide.
  test.skipIf(engine === "PGlite").each(unknown)(
    "a rule with %s allows nothing, or refuses its subject as a whole, and is logged",
    async (_, row) => {
      const { ask, ann, admin, printed } = await setUp("test", 0);
      await write({ scopeId: ann.id, ...row });
      const { status, data } = await ask(ann.token, "GET", "/v1/me");
      expect([status, Object.keys(data)]).toEqual([
        200,
        ["id", "createdAt", "updatedAt", "version", "email", "name", "role"],
      ]);
      expect(printed.join()).toContain("a stored rule is not understood");
      await write({ scopeId: ann.id, inverted: true, ...row });
      expect((await ask(ann.token, "GET", "/v1/me")).status).toBe(403);
      expect((await ask(admin, "GET", "/v1/users")).status).toBe(200);
    },
  );

  test("the size of a page stands in the text of its list, so that one plan serves all, unless something is looked for", async () => {
    const { ask, admin, rule, ann } = await setUp("test", 0);
    const limitOf = async (query: string, token = admin) => {
      reads.length = 0;
      expect((await ask(token, "GET", `/v1/users?${query}`)).status).toBe(200);
      const list = reads.findLast((text) => text.includes(' from "users"') && text.includes(" limit "));
      return list?.replace(/^.* limit /, "").replace(/\$\d+/, "?");
    };
    // SQLite would plan anew for a bare placeholder.
    const bound = "? + 0";
    expect(await limitOf("limit=20")).toBe("21");
    expect(await limitOf("limit=21")).toBe(bound);
    expect(await limitOf("limit=20&filter[role][eq]=user")).toBe(bound);
    await rule(ann.id, { actions: ["list", "read"], conditions: { name: "Ann" } });
    expect(await limitOf("limit=20", ann.token)).toBe(bound);
    await rule(ann.id, { actions: ["list", "read"] });
    await rule(ann.id, { actions: ["list", "read"], conditions: { name: "Bob" }, inverted: true });
    expect(await limitOf("limit=20", ann.token)).toBe("21");
  });

  test("a refusal is explained in development, and nowhere else", async () => {
    const { ask, ann, rule } = await setUp("development");
    const made = await rule(ann.id, { actions: ["update"], fields: ["role"], conditions: { name: "Nobody" } });
    const path = `/v1/users/${ann.id}`;
    const refused = async (method: string, at: string, body?: unknown) => {
      const { status, json } = await ask(ann.token, method, at, body);
      return [status, json.explain];
    };
    expect(await refused("GET", "/v1/users")).toEqual([
      403,
      expect.arrayContaining(["list User: refused: no rule is about it"]),
    ]);
    expect(await refused("GET", `/v1/users/${newId("user")}`)).toEqual([
      404,
      [
        "read User: depends on the row",
        `  the module users allows it where id is "${ann.id}"`,
        `  it would be allowed where: id is "${ann.id}"`,
      ],
    ]);
    expect(await refused("PATCH", path, { role: "admin" })).toEqual([
      403,
      [
        "update User, field role: refused by the guard of users",
        `  the guard of users refuses it where id is "${ann.id}" (fits)`,
        `  the user's rule ${made.data.id} allows it where name is "Nobody" (does not fit)`,
        `  it would be allowed where: name is "Nobody", and not (id is "${ann.id}")`,
      ],
    ]);
    for (const mode of ["test", "production"] as const) {
      const other = await openApp({ db, clock: movingClock(), mode, stateTtlMs: 0 });
      const { status, json } = await other.ask(null, "GET", "/v1/users");
      expect([status, "explain" in json]).toEqual([401, false]);
    }
  });
});
