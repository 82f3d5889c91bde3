import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { subject as marked } from "@casl/ability";
import { PgDialect } from "drizzle-orm/pg-core";
import fc from "fast-check";
import { casing, pgKit } from "../../db/kit.ts";
import type { Ability, Action } from "../../src/policy/ability.ts";
import { deciderOf } from "../../src/policy/decide.ts";
import { fieldsOf, mask, showAll } from "../../src/policy/fields.ts";
import { judge, may, planOf } from "../../src/policy/may.ts";
import { where } from "../../src/policy/where.ts";
import { compile, paramsOf } from "../../src/ports/db/statement.ts";
import {
  abilityWith,
  bounds,
  builder,
  type Doc,
  docsOf,
  type Engine,
  engines,
  fields,
  found as foundBy,
  type RandomRule,
  rows,
  ruleSets,
} from "./policy.fixture.ts";

/** What CASL itself says, of a copy that is marked in CASL's way. */
const can = (ability: Ability, action: Action, row: Doc, field?: string) =>
  ability.can(action, marked("User", { ...row }) as never, field);

describe.each(engines)("On %s", (_, open) => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await open();
  }, 60_000);
  afterAll(() => engine.close());
  const found = (ability: Ability, action: Action) => foundBy(engine, where(ability, action, "User", engine.columns));

  test("the rows that SQL finds are the rows that can() is true of, for any rules", async () => {
    await fc.assert(
      fc.asyncProperty(ruleSets, fc.constantFrom<Action>("read", "manage"), async (rules, action) => {
        const ability = abilityWith(rules);
        const allowed = rows.filter((row) => can(ability, action, row)).map(({ id }) => id);
        expect(await found(ability, action)).toEqual(allowed.sort());
      }),
      { numRuns: 1500 },
    );
  }, 60_000);

  test("text is ordered by code point, whatever a number or a locale would make of it", async () => {
    for (const $lt of bounds) {
      const ability = abilityWith([
        { inverted: false, action: "read", subject: "User", fields: undefined, conditions: { title: { $lt } } },
      ]);
      const smaller = rows.filter(({ title }) => title !== null && title < $lt).map(({ id }) => id);
      expect(await found(ability, "read")).toEqual(smaller.sort());
    }
  });
});

test("one row is judged by may() as by CASL's can(), in whole and field by field, and is not marked", () => {
  fc.assert(
    fc.property(ruleSets, fc.constantFrom(...rows), (rules, row) => {
      const ability = abilityWith(rules);
      const frozen = Object.freeze({ ...row });
      expect(may(ability, "read", "User", frozen)).toBe(can(ability, "read", row));
      for (const field of fields)
        expect(may(ability, "read", "User", frozen, field)).toBe(can(ability, "read", row, field));
      expect(Reflect.ownKeys(frozen)).toEqual(fields);
    }),
    { numRuns: 500 },
  );
});

test("the mask of a row holds exactly the fields that can() allows, and never one that fieldsOf excludes", () => {
  fc.assert(
    fc.property(ruleSets, fc.constantFrom(...rows), (rules, row) => {
      const ability = abilityWith(rules);
      const shown = mask(ability, "read", "User", row);
      expect(Object.keys(shown)).toEqual(fields.filter((field) => can(ability, "read", row, field)));
      for (const field of Object.keys(shown) as (keyof Doc)[]) expect(shown[field]).toBe(row[field] as never);
      const possible = fieldsOf(ability, "read", "User", fields);
      expect(Object.keys(shown).filter((field) => !possible.has(field))).toEqual([]);
    }),
    { numRuns: 500 },
  );
});

test("what is made of rules for the rows of a list decides as the rules do one by one, of the row and of each field", () => {
  fc.assert(
    fc.property(ruleSets, (rules) => {
      const plan = planOf(abilityWith(rules), "read", "User");
      for (const list of [plan.rules, ...fields.map(plan.rulesOf)]) {
        const decide = deciderOf(list);
        for (const row of rows.slice(0, 30)) expect(decide({ ...row })).toBe(judge(list, { ...row }));
      }
    }),
    { numRuns: 500 },
  );
});

const all: RandomRule = {
  inverted: false,
  action: "read",
  subject: "User",
  fields: undefined,
  conditions: undefined,
};

test("rows of a list of which the same is hidden show the same fields, and one of which nothing is hidden is itself", () => {
  const hides = (conditions: object, field: string): RandomRule => ({
    ...all,
    inverted: true,
    fields: [field],
    conditions,
  });
  const ability = abilityWith([
    all,
    hides({ title: { $in: ["a", null] } }, "dueAt"),
    hides({ isOpen: true }, "sizeKb"),
  ]);
  const shown = showAll({ ability, permissions: null } as never, "User", rows);
  for (const [i, row] of rows.entries()) {
    expect(shown[i]).toEqual(mask(ability, "read", "User", row));
    expect(shown[i] === row).toBe(row.title !== "a" && row.title !== null && row.isOpen !== true);
  }
  const mixed = [...rows.slice(0, 3), { ...(rows[3] as Doc), title: 7 }];
  expect(() => showAll({ ability, permissions: null } as never, "User", mixed)).toThrow(
    "compares a number with a string",
  );
});

test("abilities of one key have one SQL text on each dialect, and bind the names that it holds", () => {
  const columns = docsOf(pgKit);
  const printer = new PgDialect({ casing });
  const texts = new Map<string, string>();
  fc.assert(
    fc.property(ruleSets, (rules) => {
      const { key, sql: condition, values } = where(abilityWith(rules), "read", "User", columns);
      if (!condition) return expect(key).toBe("");
      const compiled = compile(builder(condition), printer);
      expect(() => paramsOf({ compiled, values })).not.toThrow();
      expect(compiled.slots.length).toBe(Object.keys(values).length);
      const statement = `${compiled.text} ${Object.keys(values)}`;
      expect(statement).toBe(texts.get(key) ?? statement);
      texts.set(key, statement);
    }),
    { numRuns: 1000 },
  );
});
