/** Rules of all layers, judged by an interpreter that shares no code with the policy: the last rule that fits decides. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { pgKit, sqliteKit } from "../../db/kit.ts";
import type { Actor } from "../../src/core/actor.ts";
import type { ListInput } from "../../src/core/page.ts";
import type { Ability, Action, Allow, Rules, StoredRule } from "../../src/policy/ability.ts";
import { caslAbilities } from "../../src/policy/casl.ts";
import { explain } from "../../src/policy/explain.ts";
import { mask, show, showAll } from "../../src/policy/fields.ts";
import { whereListed } from "../../src/policy/listed.ts";
import { may } from "../../src/policy/may.ts";
import { faultsOf } from "../../src/policy/rule-check.ts";
import type { Subjects } from "../../src/policy/subjects.ts";
import { where } from "../../src/policy/where.ts";
import { conditions, type Doc, docsOf, type Engine, engines, fields, found, rows } from "./policy.fixture.ts";

const actor: Actor = { type: "user", id: "doc1", role: "admin", sessionId: null };
const mine = fc.constantFrom<object>(
  { id: { $actor: "id" } },
  { id: { $ne: { $actor: "id" } } },
  { title: { $in: ["a", { $actor: "role" }] } },
  { $or: [{ id: { $not: { $in: [{ $actor: "id" }, "doc2"] } } }, { isOpen: true }] },
);

const rule = fc.record({
  inverted: fc.boolean(),
  actions: fc.subarray<Action>(["read", "list", "update", "delete", "manage"], { minLength: 1, maxLength: 3 }),
  subject: fc.constantFrom("User" as const, "User" as const, "all" as const),
  fields: fc.option(fc.subarray(fields, { minLength: 1 }), { nil: null, freq: 3 }),
  conditions: fc.option(fc.oneof(conditions, mine), { nil: null, freq: 4 }),
});
type Rule = typeof rule extends fc.Arbitrary<infer R> ? R : never;
const layers = fc.record({
  module: fc.array(rule, { maxLength: 3 }),
  role: fc.array(rule, { maxLength: 3 }),
  user: fc.array(rule, { maxLength: 3 }),
  apiKey: fc.array(rule, { maxLength: 2 }),
  guard: fc.array(rule, { maxLength: 2 }),
});
type Layers = typeof layers extends fc.Arbitrary<infer L> ? L : never;

type Loose = (actions: readonly Action[], subject: string, fields: unknown, conditions?: unknown) => void;
const inCode =
  (rules: readonly Rule[]): Rules =>
  (_, allow: Allow) => {
    for (const { inverted, actions, subject, fields, conditions } of rules) {
      const give = (inverted ? allow.cannot : allow.can) as unknown as Loose;
      // Code knows the actor itself.
      const told = bound(conditions) ?? undefined;
      if (fields) give(actions, subject, fields, told);
      else give(actions, subject, told);
    }
  };
const stored = (rules: readonly Rule[], scopeType: StoredRule["scopeType"]): StoredRule[] =>
  rules.map((one, i) => ({ ...one, id: `${scopeType}${i}`, scopeType }) as StoredRule);

const abilityOf = ({ module, role, user, apiKey, guard }: Layers): Ability =>
  caslAbilities({ docs: inCode(module) }, { docs: inCode(guard) }).abilityFor(actor, [
    ...stored(role, "role"),
    ...stored(user, "user"),
    ...stored(apiKey, "apiKey"),
  ]);

/** The interpreter. */
function bound(part: unknown): unknown {
  if (typeof part !== "object" || part === null) return part;
  if ("$actor" in part) return (actor as unknown as Record<string, unknown>)[part.$actor as string];
  if (Array.isArray(part)) return part.map(bound);
  return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, bound(value)]));
}
type Value = string | number | boolean | null;
const before = (a: Value, b: Value) => a !== null && b !== null && a < b;
const operators: Record<string, (value: Value, given: never) => boolean> = {
  $eq: (value, given: Value) => value === given,
  $ne: (value, given: Value) => value !== given,
  $lt: (value, given: Value) => before(value, given),
  $lte: (value, given: Value) => value !== null && (value === given || before(value, given)),
  $gt: (value, given: Value) => before(given, value),
  $gte: (value, given: Value) => value !== null && (value === given || before(given, value)),
  $in: (value, given: Value[]) => given.includes(value),
  $nin: (value, given: Value[]) => !given.includes(value),
  $not: (value, given: object) => !compares(value, given),
};
const compares = (value: Value, given: unknown): boolean =>
  typeof given === "object" && given !== null
    ? Object.entries(given).every(([name, one]) => operators[name]?.(value, one as never))
    : value === given;
function fits(row: Doc, conditions: unknown): boolean {
  return Object.entries((conditions ?? {}) as Record<string, unknown>).every(([key, given]) => {
    const parts = given as unknown[];
    if (key === "$and") return parts.every((part) => fits(row, part));
    if (key === "$or") return parts.some((part) => fits(row, part));
    if (key === "$nor") return !parts.some((part) => fits(row, part));
    return compares(row[key as keyof Doc], given);
  });
}
const about = ({ fields, inverted }: Rule, field: string | null, seeing: boolean): boolean => {
  if (fields === null) return true;
  if (field === null) return !inverted;
  // The id is shown with whatever is.
  return field === "id" && seeing ? !inverted : fields.includes(field);
};
function allows(
  { module, role, user, apiKey, guard }: Layers,
  action: Action,
  row: Doc,
  field: string | null,
): boolean {
  const decisive = [...module, ...role, ...user, ...apiKey, ...guard].findLast((one) => {
    const actions = one.actions.filter((name) => name === action || name === "manage");
    return (
      actions.some((name) => about(one, field, name !== "update" && name !== "delete")) &&
      fits(row, bound(one.conditions))
    );
  });
  return decisive !== undefined && !decisive.inverted;
}
const expected = (test: (row: Doc) => boolean) =>
  rows
    .filter(test)
    .map(({ id }) => id)
    .sort();

test("one row is judged as the interpreter does, in whole, field by field, and as it is explained", () => {
  fc.assert(
    fc.property(layers, fc.constantFrom(...rows), (rules, row) => {
      const ability = abilityOf(rules);
      for (const action of ["read", "update", "delete"] as const) {
        expect(may(ability, action, "User", row)).toBe(allows(rules, action, row, null));
        for (const field of fields) {
          const verdict = allows(rules, action, row, field);
          expect(may(ability, action, "User", row, field)).toBe(verdict);
          const [explained] = explain(ability, action, "User", { row, field });
          expect(explained?.allowed).toBe(verdict);
          expect(explained?.rules.find(({ fits }) => fits)?.effect ?? "refuses").toBe(verdict ? "allows" : "refuses");
        }
      }
      const shown = mask(ability, "read", "User", row);
      expect(Object.keys(shown)).toEqual(fields.filter((field) => allows(rules, "read", row, field)));
      const { permissions } = show({ ability, permissions: fields } as never, "User", row);
      expect(permissions).toEqual({
        read: allows(rules, "read", row, null),
        update: fields.filter((field) => allows(rules, "update", row, field)),
        delete: allows(rules, "delete", row, null),
      });
      // Without a row, what is certain of all rows is said of each.
      const [general] = explain(ability, "read", "User");
      if (general?.allowed !== null) expect(general?.allowed).toBe(allows(rules, "read", row, null));
    }),
    { numRuns: 1000 },
  );
});

const docSubjects = {
  User: { columns: () => docsOf(pgKit), fields, judged: ["create", "list", "read", "update", "delete"] },
};
const subjects = docSubjects as unknown as Subjects;
const draftOf = (conditions: Rule["conditions"]) => ({
  subject: "User",
  actions: ["read"],
  fields: null,
  conditions: conditions as Record<string, unknown> | null,
  inverted: false,
});

test("conditions that are accepted can be judged, in SQL of both dialects and of every row", () => {
  const junk = fc.letrec<{ any: unknown }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<unknown>("a", 1, 1.5, true, null, "\ud800", "doc1", "2026-01-31T09:30:00.000Z"),
      fc.array(tie("any"), { maxLength: 2 }),
      fc.dictionary(
        fc.constantFrom(
          "id",
          "title",
          "sizeKb",
          "isOpen",
          "dueAt",
          "$and",
          "$or",
          "$not",
          "$in",
          "$lt",
          "$eq",
          "$actor",
          "x",
        ),
        tie("any"),
        { maxKeys: 2, noNullPrototype: true },
      ),
    ),
  }));
  const object = fc.dictionary(
    fc.constantFrom("id", "title", "sizeKb", "isOpen", "dueAt", "$and", "$or", "$nor", "$not", "$actor", "toString"),
    junk.any,
    { maxKeys: 3, noNullPrototype: true },
  );
  let accepted = 0;
  fc.assert(
    fc.property(fc.oneof(object, conditions, mine), fc.boolean(), (given, inverted) => {
      if (faultsOf(draftOf(given), subjects).length > 0) return;
      accepted++;
      const open = { inverted: false, actions: ["read"], subject: "User", fields: null, conditions: null } as const;
      const only = { ...open, inverted, conditions: given };
      const rules = {
        module: [],
        role: [open as unknown as Rule],
        user: [],
        apiKey: [only as unknown as Rule],
        guard: [],
      };
      const ability = abilityOf(rules);
      for (const kit of [pgKit, sqliteKit]) where(ability, "read", "User", docsOf(kit));
      for (const row of rows.slice(0, 20))
        expect(may(ability, "read", "User", row)).toBe(allows(rules, "read", row, null));
    }),
    { numRuns: 3000 },
  );
  expect(accepted).toBeGreaterThan(500);
});

describe.each(engines)("On %s", (_, open) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await open();
  }, 60_000);
  afterAll(() => engine.close());

  test("SQL finds the rows that the interpreter allows, whatever the layers say", async () => {
    await fc.assert(
      fc.asyncProperty(layers, fc.constantFrom<Action>("read", "update", "list"), async (rules, action) => {
        const seen = await found(engine, where(abilityOf(rules), action, "User", engine.columns));
        const allowed = (row: Doc, one: Action) => allows(rules, one, row, null);
        const test = (row: Doc) =>
          action === "list" ? allowed(row, "list") && allowed(row, "read") : allowed(row, action);
        expect(seen).toEqual(expected(test));
      }),
      { numRuns: 800 },
    );
  }, 60_000);

  test("a list that is sorted and filtered by fields holds the rows that show them, and is refused where none can", async () => {
    const asked = fc.record({ sort: fc.constantFrom(...fields), filter: fc.constantFrom(...fields) });
    await fc.assert(
      fc.asyncProperty(layers, asked, async (rules, { sort, filter }) => {
        const input: ListInput = {
          limit: 100,
          sort: { field: sort, descending: false },
          after: null,
          filters: [{ field: filter, op: "eq", value: "x" }],
          fields: null,
          count: false,
        };
        const shown = expected(
          (row) =>
            allows(rules, "list", row, null) &&
            ([null, sort, filter] as const).every((field) => field === "id" || allows(rules, "read", row, field)) &&
            allows(rules, "read", row, null),
        );
        const seen = () => found(engine, whereListed(abilityOf(rules), "User", engine.columns, input));
        try {
          expect(await seen()).toEqual(shown);
          const listed = rows.filter(({ id }) => shown.includes(id));
          const ctx = { ability: abilityOf(rules), permissions: null } as never;
          expect(showAll(ctx, "User", listed)).toEqual(
            listed.map((row) => mask(abilityOf(rules), "read", "User", row)),
          );
        } catch (error) {
          if ((error as { code?: string }).code !== "forbidden") throw error;
          expect(shown).toEqual([]);
        }
      }),
      { numRuns: 500 },
    );
  }, 60_000);
});
