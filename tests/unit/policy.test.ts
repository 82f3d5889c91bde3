import { describe, expect, test } from "bun:test";
import { createMongoAbility } from "@casl/ability";
import { PgDialect } from "drizzle-orm/pg-core";
import type { SQL } from "drizzle-orm/sql";
import { SQLiteSyncDialect } from "drizzle-orm/sqlite-core";
import { casing } from "../../db/kit.ts";
import { tablesOf } from "../../db/tables.ts";
import { type Actor, anonymous } from "../../src/core/actor.ts";
import { AppError } from "../../src/core/error.ts";
import type { Ability, Rules, StoredRule } from "../../src/policy/ability.ts";
import { caslAbilities } from "../../src/policy/casl.ts";
import { assertFields, fieldsOf, mask } from "../../src/policy/fields.ts";
import { may } from "../../src/policy/may.ts";
import { where } from "../../src/policy/where.ts";

const pg = tablesOf("pg");
const sqlite = tablesOf("sqlite");
const printPg = (condition: SQL | undefined) => condition && new PgDialect({ casing }).sqlToQuery(condition).sql;
const printSqlite = (condition: SQL | undefined) =>
  condition && new SQLiteSyncDialect({ casing }).sqlToQuery(condition).sql;

const user = (id: string): Actor => ({ type: "user", id, role: "user", sessionId: "sess_1" });
const abilityOf = (rules: Rules, actor: Actor = anonymous): Ability =>
  caslAbilities({ module: rules }).abilityFor(actor);

const ann = {
  id: "user_ann",
  createdAt: "2026-01-31T09:30:00.000Z",
  updatedAt: "2026-01-31T09:30:00.000Z",
  version: 1,
  email: "ann@example.com",
  name: "Ann",
  role: "user" as const,
  passwordHash: null,
  deletedAt: null,
};

/** What a member may do here: see people who have not left, all of itself, and change its own name. */
const members: Rules = (actor, { can, cannot }) => {
  if (actor.type !== "user") return;
  can("read", "User", ["id", "name"], { deletedAt: null });
  can("read", "User", { id: actor.id });
  can("update", "User", ["name"], { id: actor.id });
  cannot("read", "User", ["passwordHash"]);
};

describe("Of the rules that fit a row", () => {
  test("the last one decides, whichever kind it is", () => {
    const rules: Rules = (_, { can, cannot }) => {
      can("read", "User");
      cannot("read", "User", { role: "admin" });
      can("read", "User", { id: "user_ann" });
    };
    const ability = abilityOf(rules);
    expect(may(ability, "read", "User", { ...ann, role: "admin" })).toBe(true);
    expect(may(ability, "read", "User", { ...ann, id: "user_bob", role: "admin" })).toBe(false);
    expect(may(ability, "read", "User", { ...ann, id: "user_bob" })).toBe(true);
    expect(printPg(where(ability, "read", "User", pg.users).sql)).toBe(
      `("users"."id" = $1 or case when "users"."role" = $2 then false else true end)`,
    );
  });

  test("those of a later module decide over those of an earlier one", () => {
    const ability = caslAbilities({
      first: (_, { can }) => can("read", "User"),
      second: (_, { cannot }) => cannot("read", "User"),
    });
    expect(may(ability.abilityFor(anonymous), "read", "User", ann)).toBe(false);
  });

  test("none allows what no rule names", () => {
    const ability = abilityOf(() => {});
    expect(may(ability, "read", "User", ann)).toBe(false);
    expect(where(ability, "read", "User", pg.users)).toMatchObject({ never: true, values: {} });
  });
});

describe("Rules become as few comparisons as say the same:", () => {
  const printed = (rules: Rules) => {
    const { sql, values } = where(abilityOf(rules), "read", "User", pg.users);
    return [printPg(sql), ...Object.values(values)];
  };

  test("what refusals share is asked once, and values of one column are one list", () => {
    const rules: Rules = (_, { can, cannot }) => {
      can("read", "User");
      for (const name of ["Ann", "Bob", "Ann"]) cannot("read", "User", { name, version: { $gt: 7 } });
      cannot("read", "User", { role: "admin" });
      cannot("read", "User", { email: { $ne: "ann@example.com" }, role: "admin" });
    };
    expect(printed(rules)).toEqual([
      `case when ("users"."role" = $1 or ("users"."version" > $2 and "users"."name" in ($3, $4))) then false else true end`,
      ...["admin", 7, "Ann", "Bob"],
    ]);
  });

  test("refusals that want other values of one column look at it once, and what always holds is not asked", () => {
    const rules: Rules = (_, { can, cannot }) => {
      can("read", "User");
      for (const [name, version] of [
        ["Ann", 1],
        ["Bob", 2],
      ] as const) {
        cannot("read", "User", { name, version: { $gt: version } });
        cannot("read", "User", { role: "admin", name: { $ne: name } });
      }
    };
    expect(printed(rules)).toEqual([
      `case when ("users"."role" = $1 or case "users"."name" when $2 then "users"."version" > $3 when $4 then "users"."version" > $5 else false end) then false else true end`,
      ...["admin", "Ann", 1, "Bob", 2],
    ]);
  });

  test("a rule that cannot change the outcome is not asked", () => {
    const rules: Rules = (_, { can, cannot }) => {
      cannot("read", "User", { name: "Ann" });
      can("read", "User", { role: "admin" });
      can("read", "User");
      can("read", "User", { name: "Bob" });
    };
    expect(printed(rules)).toEqual([undefined]);
  });

  test("a refusal of all but some is those", () => {
    const rules: Rules = (_, { can, cannot }) => {
      can("read", "User");
      cannot("read", "User", { role: { $ne: "admin" } });
      cannot("read", "User", { deletedAt: { $ne: null } });
    };
    expect(printed(rules)).toEqual([`("users"."role" = $1 and "users"."deleted_at" is null)`, "admin"]);
  });
});

describe("The values of a rule", () => {
  const stored = (scopeType: StoredRule["scopeType"], conditions: object, inverted = false): StoredRule => ({
    ...{ id: `rule_${scopeType}`, scopeType, subject: "User", actions: ["read"], fields: null },
    ...{ conditions: conditions as StoredRule["conditions"], inverted },
  });
  const asked = (...rules: StoredRule[]) => {
    const ability = caslAbilities({}).abilityFor(
      { type: "user", id: "user_ann", role: "user", sessionId: null },
      rules,
    );
    return [tablesOf("pg"), tablesOf("sqlite")].map(({ users }) => where(ability, "read", "User", users));
  };

  test("stand in the text where everybody of a role has it, and are bound where it is a person's, a key's or the actor's", () => {
    const name = { name: "Ann", version: 7, createdAt: { $lt: "2026-01-31T09:30:00.000Z" } };
    const [onPg, onSqlite] = asked(stored("role", name));
    expect([onPg?.values, onSqlite?.values]).toEqual([{}, {}]);
    expect(printPg(onPg?.sql)).toBe(
      `("users"."name" = 'Ann' and "users"."version" = 7 and "users"."created_at" < '2026-01-31T09:30:00.000Z')`,
    );
    for (const [scope, given] of [
      ["user", name],
      ["apiKey", name],
      ["role", { ...name, id: { $actor: "id" } }],
    ] as const) {
      const [{ key, values } = { key: "", values: {} }] = asked(stored(scope, given));
      expect(Object.values(values)).toContain("Ann");
      expect(key).not.toContain("Ann");
    }
  });

  test("are bound where they hold any character that a literal could end with", () => {
    const texts = [
      "'",
      "a' or 1=1 --",
      "\\",
      "\\'",
      '"',
      "a\nb",
      "$1",
      "$$",
      "?",
      "é",
      "\u{1f600}",
      "/*",
      ";",
      "(",
      "%",
      "a,b",
    ];
    for (const text of texts)
      for (const { key, values } of asked(stored("role", { name: text }), stored("role", { role: text }, true))) {
        expect([text, Object.values(values)]).toEqual([text, [text, text]]);
        expect(key).not.toContain("'");
      }
    for (const text of ["", "Ann Lee", "ann.lee+x@example.com", "user_01", "a--b", "10:30"])
      for (const { key, values } of asked(stored("role", { name: text })))
        expect([key.endsWith(`name = '${text}'`), values]).toEqual([true, {}]);
  });
});

describe("NULL", () => {
  test("is not before or after any time: what was never deleted was not deleted before now", () => {
    const ability = abilityOf((_, { can }) => can("read", "User", { deletedAt: { $lt: "2026-01-31T09:30:00.000Z" } }));
    expect(may(ability, "read", "User", ann)).toBe(false);
    expect(may(ability, "read", "User", { ...ann, deletedAt: "2025-01-01T00:00:00.000Z" })).toBe(true);
  });

  test("differs from every value, also in a list", () => {
    for (const condition of [{ $ne: "x" }, { $nin: ["x"] }, { $not: { $eq: "x" } }]) {
      expect(
        may(
          abilityOf((_, { can }) => can("read", "User", { passwordHash: condition })),
          "read",
          "User",
          ann,
        ),
      ).toBe(true);
    }
  });

  test("is looked for as such, also in a list", () => {
    const ability = abilityOf((_, { can }) => can("read", "User", { passwordHash: { $in: ["x", null] } }));
    expect(may(ability, "read", "User", ann)).toBe(true);
    expect(printSqlite(where(ability, "read", "User", sqlite.users).sql)).toBe(
      `("users"."password_hash" is null or "users"."password_hash" = ?)`,
    );
  });
});

describe("The key of a where", () => {
  test("is shared by two actors with the same rules, whose values differ", () => {
    const [a, b] = ["user_a", "user_b"].map((id) => where(abilityOf(members, user(id)), "read", "User", pg.users));
    expect(a?.key).toBe("read User: (deletedAt is null or id = ?)");
    expect(b?.key).toBe(a?.key as string);
    expect([a?.values, b?.values]).toEqual([{ policy_read_User_0: "user_a" }, { policy_read_User_0: "user_b" }]);
  });

  test("tells lists of other lengths apart, and is empty where every row may be touched", () => {
    const keyed = (ids: string[]) =>
      where(
        abilityOf((_, { can }) => can("read", "User", { id: { $in: ids } })),
        "read",
        "User",
        pg.users,
      ).key;
    expect(keyed(["a", "b"])).toBe(keyed(["c", "d"]));
    expect(keyed(["a", "b"])).not.toBe(keyed(["a"]));
    expect(
      where(
        abilityOf((_, { can }) => can("manage", "all")),
        "read",
        "User",
        pg.users,
      ),
    ).toMatchObject({ key: "", sql: undefined });
  });

  test("and its values stand beside those of another action in one statement", () => {
    const ability = abilityOf(members, user("user_a"));
    const names = (["read", "update"] as const).flatMap((action) =>
      Object.keys(where(ability, action, "User", pg.users).values),
    );
    expect(new Set(names).size).toBe(names.length);
  });
});

test("A where is made once for an ability, an action, a subject and a table", () => {
  const ability = abilityOf(members, user("user_a"));
  const first = where(ability, "read", "User", pg.users);
  expect(where(ability, "read", "User", pg.users)).toBe(first);
  expect(first.sql).toBe(first.sql as SQL);
  expect(where(ability, "read", "User", sqlite.users)).not.toBe(first);
  expect(where(ability, "update", "User", pg.users)).not.toBe(first);
});

describe("A rule is refused when it is translated", () => {
  const refusals: [why: string, subject: "User" | "AuditEntry", conditions: object, says: RegExp][] = [
    ["for a field that is no column", "User", { nick: "x" }, /no column for the field "nick"/],
    ["for a path into a field", "User", { "name.first": "x" }, /no column/],
    ["for a name that every object has", "User", { constructor: "x" }, /"constructor"/],
    ["for a json column", "AuditEntry", { newValue: { $ne: null } }, /jsonb.*cannot be compared/],
    ["for $regex", "User", { name: { $regex: "^A" } }, /operator \$regex of "name" is not known/],
    ["for $exists", "User", { name: { $exists: true } }, /operator \$exists of "name" is not known/],
    [
      "for an unknown operator beside a known one",
      "User",
      { name: { $eq: "a", $size: 1 } },
      /may contain only operators/,
    ],
    ["for a value that is missing", "User", { id: undefined }, /"id" is compared with undefined/],
    ["for a number as text", "User", { version: "1" }, /expected a 32-bit integer/],
    ["for a fraction", "User", { version: { $lt: 1.5 } }, /expected a 32-bit integer/],
    ["for an integer that a column cannot hold", "User", { version: 2 ** 31 }, /expected a 32-bit integer/],
    ["for a Date", "User", { deletedAt: { $lt: new Date(0) } }, /expected an instant as its text/],
    [
      "for a time with a second spelling",
      "User",
      { deletedAt: "2026-01-31T09:30:00Z" },
      /expected an instant as its text/,
    ],
    ["for text with NUL", "User", { name: "a\0" }, /well-formed text without NUL/],
    ["for half a character", "User", { name: { $in: ["\ud83d"] } }, /well-formed text without NUL/],
    [
      "for an order among text that JavaScript and SQL order differently",
      "User",
      { name: { $lt: "😀" } },
      /another order/,
    ],
  ];
  test.each(refusals)("%s", (_, subject, conditions, says) => {
    const ability = abilityOf((_, { can }) => can("read", subject, conditions as never));
    expect(() => where(ability, "read", subject, subject === "User" ? pg.users : pg.auditEntries)).toThrow(says);
  });

  test("and by its types when it is written", () => {
    const rules: Rules = (_, { can }) => {
      // @ts-expect-error: no such field
      can("read", "User", { nick: "x" });
      // @ts-expect-error: no such operator
      can("read", "User", { name: { $regex: "x" } });
      // @ts-expect-error: not the field's type
      can("read", "User", { version: "1" });
      // @ts-expect-error: no such field to see
      can("read", "User", ["nick"]);
      // @ts-expect-error: no such subject
      can("read", "Invoice");
    };
    expect(rules).toBeFunction();
  });
});

describe("Only what keeps these meanings is asked", () => {
  test("an ability made in another way is refused", () => {
    const foreign = createMongoAbility([{ action: "read", subject: "User" }]) as Ability;
    expect(() => where(foreign, "read", "User", pg.users)).toThrow(/made by caslAbilities/);
    expect(() => mask(foreign, "read", "User", ann)).toThrow(/made by caslAbilities/);
  });

  test("a row handed to can() without its subject is refused, not taken for another subject", () => {
    const ability = abilityOf((_, { can, cannot }) => {
      can("manage", "all");
      cannot("read", "User");
    });
    expect(() => ability.can("read", ann as never)).toThrow(/ask may\(\)/);
    expect(may(ability, "read", "User", ann)).toBe(false);
  });

  test("values of different types are not compared", () => {
    const ability = abilityOf((_, { can }) => can("read", "User", { createdAt: { $lt: new Date() as never } }));
    expect(() => may(ability, "read", "User", ann)).toThrow(/compares a string with a object/);
  });

  test("a row without a field that a rule looks at is refused", () => {
    const { deletedAt: _, ...partial } = ann;
    const ability = abilityOf(members, user("user_ann"));
    expect(() => mask(ability, "read", "User", partial)).toThrow(/lacks "deletedAt"/);
    expect(() => may(ability, "read", "User", partial)).toThrow(/lacks "deletedAt"/);
  });
});

describe("The fields of a row", () => {
  const names = Object.keys(ann);

  test("are those that its own rules leave", () => {
    const ability = abilityOf(members, user("user_bob"));
    const { id, createdAt, updatedAt, version, name } = ann;
    expect(mask(ability, "read", "User", ann)).toEqual({ id, createdAt, updatedAt, version, name });
    expect(mask(ability, "read", "User", { ...ann, deletedAt: ann.createdAt })).toEqual({});
    const { passwordHash: _, ...own } = ann;
    expect(mask(abilityOf(members, user("user_ann")), "read", "User", ann)).toEqual(own);
  });

  test("are the row itself, unchanged and unmarked, where no rule is about fields", () => {
    const row = Object.freeze({ ...ann });
    const ability = abilityOf((_, { can }) => can("read", "User", { id: "user_ann" }));
    expect(mask(ability, "read", "User", row)).toBe(row);
    expect(Reflect.ownKeys(row)).toEqual(names);
    expect(mask(ability, "read", "User", { ...ann, id: "user_bob" })).toEqual({});
  });

  test("are, for a subject in general, all that some row may show", () => {
    const fields = (ability: Ability) => [...fieldsOf(ability, "update", "User", names)];
    expect(fields(abilityOf(members, user("user_ann")))).toEqual(["name"]);
    expect(fields(abilityOf(members))).toEqual([]);
    const ability = abilityOf(members, user("user_ann"));
    expect(fieldsOf(ability, "read", "User", names)).toBe(fieldsOf(ability, "read", "User", names));
    expect(fieldsOf(ability, "read", "User", names).has("passwordHash")).toBe(false);
  });

  test("that may not be set are each pointed at", () => {
    const ability = abilityOf(members, user("user_ann"));
    expect(() => assertFields(ability, "update", "User", ann, ["name"])).not.toThrow();
    const refused = (row: object, fields: string[]) => {
      try {
        assertFields(ability, "update", "User", row, fields);
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
        const { code, errors } = error as AppError;
        return [code, ...(errors ?? []).map((fault) => `${fault.in} ${fault.pointer}`)];
      }
    };
    expect(refused(ann, ["name", "role", "a/b~c"])).toEqual(["forbidden", "body /role", "body /a~1b~0c"]);
    expect(refused({ ...ann, id: "user_bob" }, ["name"])).toEqual(["forbidden", "body /name"]);
  });
});
