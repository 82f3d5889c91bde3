/** Rules of API keys: the layer over those of a person, or over the role of a key that acts for itself. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eq, sql } from "drizzle-orm";
import { type Actor, identityOf, type Person, type Ruled } from "../../src/core/actor.ts";
import { newId } from "../../src/core/id.ts";
import { loadKeys } from "../../src/modules/auth/keys.ts";
import { createTokens } from "../../src/modules/auth/tokens.ts";
import { createRulebook } from "../../src/modules/policy/rulebook.ts";
import type { NewPolicyRule } from "../../src/modules/policy/schema.ts";
import { createPolicy } from "../../src/modules/policy/service.ts";
import { createRuleStore, rulesStamp } from "../../src/modules/policy/store.ts";
import { inward } from "../../src/policy/context.ts";
import { may, mayAny } from "../../src/policy/may.ts";
import { createMemoryBus } from "../../src/ports/bus/memory.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { createConsoleLog } from "../../src/ports/log/console.ts";
import { abilities, subjects } from "../../src/rules.ts";
import { engines, type TestEngine } from "../helpers/engines.ts";
import { now } from "./audit.ts";
import { movingClock } from "./limits.ts";

const log = createConsoleLog({ level: "error" });
const keys = await loadKeys(null);
const system: Actor = { type: "system", id: "test" };
const ctx = () =>
  inward(
    { requestId: null, traceId: null, now: now(), signal: new AbortController().signal },
    { actor: system, ability: abilities.abilityFor(system) },
  );
const draft = (scopeType: NewPolicyRule["scopeType"], scopeId: string, own: Partial<NewPolicyRule>): NewPolicyRule => ({
  ...{ scopeType, scopeId, subject: "User", actions: ["read"], fields: null, conditions: null },
  ...{ inverted: false, priority: 0, note: null },
  ...own,
});

function contract({ name, open }: TestEngine) {
  describe(name, () => {
    let opened: Awaited<ReturnType<TestEngine["open"]>>;
    let db: Db;
    /** How often rules were read. */
    let reads = 0;
    const bus = createMemoryBus({ log });
    beforeAll(async () => {
      opened = await open();
      db = opened.db;
    }, 30_000);
    afterAll(() => opened?.done());

    const instance = () => {
      const store = createRuleStore(db);
      const rulesOf = (actor: Ruled) => {
        reads++;
        return store.rulesOf(actor);
      };
      return createRulebook({ store: { rulesOf }, subjects, log });
    };
    const make = (...of: Parameters<typeof draft>) => createPolicy({ db, bus, subjects }).create(ctx(), draft(...of));
    const someone = (): Person => ({ type: "user", id: newId("user"), role: "user", sessionId: newId("sess") });
    const row = (id: string) => ({ id, email: "a@example.com", name: "Ann", role: "user", version: 1 });

    test("are the last of three layers, whatever their priority, and those of a person's key add to the person's", async () => {
      const [person, apiKeyId] = [someone(), newId("key")];
      const key = await make("apiKey", apiKeyId, { priority: -1000 });
      const user = await make("user", person.id, { priority: 0 });
      const role = await make("role", "user", { priority: 1000 });
      const older = await make("apiKey", newId("key"), {});
      const ids = async (actor: Ruled) => (await instance().rulesOf(actor)).rules.map(({ id }) => id);
      expect(await ids(person)).toEqual([role.id, user.id]);
      expect(await ids({ ...person, apiKeyId })).toEqual([role.id, user.id, key.id]);
      expect(await ids({ type: "apiKey", id: apiKeyId, role: "user" })).toEqual([role.id, key.id]);
      expect(await ids({ type: "apiKey", id: apiKeyId, role: "admin" })).toEqual([key.id]);
      // A key is no person, and a person no key, whatever the text of its id.
      expect(await ids({ type: "apiKey", id: person.id, role: "admin" })).toEqual([]);
      expect(await ids({ ...person, role: "admin", id: older.scopeId })).toEqual([]);
      await createPolicy({ db, bus, subjects }).remove(ctx(), role.id, null);
    });

    test("can refuse what the person may do, and allow what it may not, on the rows that they name", async () => {
      const [person, apiKeyId] = [someone(), newId("key")];
      await make("apiKey", apiKeyId, { inverted: true, actions: ["update"] });
      await make("apiKey", apiKeyId, { conditions: { name: "Ann" } });
      const of = async (actor: Ruled) => abilities.abilityFor(actor, (await instance().rulesOf(actor)).rules);
      const [bare, keyed] = [await of(person), await of({ ...person, apiKeyId })];
      const own = row(person.id);
      expect([bare, keyed].map((one) => may(one, "update", "User", own, "name"))).toEqual([true, false]);
      const others = [row("user_x"), { ...row("user_x"), name: "Bob" }];
      expect(others.map((one) => may(bare, "read", "User", one))).toEqual([false, false]);
      expect(others.map((one) => may(keyed, "read", "User", one))).toEqual([true, false]);
      const itself = await of({ type: "apiKey", id: apiKeyId, role: "user" });
      expect(others.map((one) => may(itself, "read", "User", one))).toEqual([true, false]);
      expect(may(itself, "read", "User", { ...own, name: "Bob" })).toBe(false);
    });

    test("of the actor know the person who shows the key, or the key that acts for itself", async () => {
      const [person, apiKeyId] = [someone(), newId("key")];
      await make("apiKey", apiKeyId, { actions: ["list", "read"], conditions: { id: { $actor: "id" } } });
      const of = async (actor: Ruled) => abilities.abilityFor(actor, (await instance().rulesOf(actor)).rules);
      const keyed = await of({ ...person, apiKeyId });
      expect([person.id, apiKeyId].map((id) => may(keyed, "list", "User", row(id)))).toEqual([true, false]);
      const itself = await of({ type: "apiKey", id: apiKeyId, role: "user" });
      expect([person.id, apiKeyId].map((id) => may(itself, "list", "User", row(id)))).toEqual([false, true]);
    });

    test("give nobody the rules: an administrator changes them logged in, and not with a key", async () => {
      const [apiKeyId, admin] = [newId("key"), { ...someone(), role: "admin" as const }];
      const all = { subject: "all", actions: ["manage" as const] };
      await make("apiKey", apiKeyId, all);
      const actors: [Ruled, boolean][] = [
        [admin, true],
        [{ ...admin, apiKeyId }, false],
        [{ type: "apiKey", id: apiKeyId, role: "admin" }, false],
      ];
      for (const [actor, may] of actors) {
        const ability = abilities.abilityFor(actor, (await instance().rulesOf(actor)).rules);
        expect([actor, mayAny(ability, "create", "PolicyRule")]).toEqual([actor, may]);
        expect(mayAny(ability, "list", "User")).toBe(true);
      }
    });

    test("are read anew when their stamp is another, and not while it is the same", async () => {
      const [person, apiKeyId] = [someone(), newId("key")];
      const actor: Person = { ...person, apiKeyId };
      const rulebook = instance();
      const { policyRules } = db.tables;
      /** As a look for a key takes it along: from columns, of which values are the simplest. */
      const stampOf = async () => {
        const whose = { role: sql`${"user"}`, user: sql`${person.id}`, apiKey: sql`${apiKeyId}` };
        const [found] = await db.all(
          db.prepare((q, tables) =>
            q.select({ stamp: rulesStamp(db.dialect, tables, whose) }).from(sql`(select 1 as one) as one`),
          )(),
          { fresh: true },
        );
        return (found as { stamp: string | null }).stamp;
      };
      expect(await stampOf()).toBeNull();
      expect((await rulebook.rulesOf(actor, null)).rules).toEqual([]);
      const [own, made] = [await make("user", person.id, {}), await make("apiKey", apiKeyId, {})];
      const first = await rulebook.rulesOf(actor, await stampOf());
      expect(first.rules.map(({ id }) => id)).toEqual([own.id, made.id]);
      reads = 0;
      expect((await rulebook.rulesOf(actor, await stampOf())).rules).toBe(first.rules);
      expect(reads).toBe(0);
      await db.atomic((tx) => [tx.update(policyRules).set({ inverted: true }).where(eq(policyRules.id, made.id))]);
      expect((await rulebook.rulesOf(actor, await stampOf())).rules.map(({ inverted }) => inverted)).toEqual([
        false,
        true,
      ]);
      expect(reads).toBe(1);
    });

    test("reach whoever shows the key at every instance at once, and nobody else is looked up for them", async () => {
      const [apiKeyId, other] = [newId("key"), newId("key")];
      const people = new Map([apiKeyId, other].map((id) => [newId("sess"), { ...someone(), apiKeyId: id }]));
      let looks: string[] = [];
      const open = () => {
        const rulebook = instance();
        return createTokens({
          ...{
            keys,
            issuer: "https://api.example.com",
            audience: "test",
            ttlS: 900,
            stateTtlMs: 1e9,
            probeToken: null,
          },
          ...{ clock: movingClock(), bus, abilities, rulebook },
          bearerOf: async (sessionId) => {
            const actor = people.get(sessionId) as Person;
            looks.push(actor.apiKeyId as string);
            return { actor, rules: (await rulebook.rulesOf(actor)).stamp || null };
          },
        });
      };
      const instances = [open(), open()];
      const sees = () =>
        Promise.all(
          [...people].flatMap(([sessionId, { id }]) =>
            instances.map(async (tokens) => {
              const { ability } = await tokens.authenticate(await tokens.issue(id, sessionId));
              return mayAny(ability, "list", "User");
            }),
          ),
        );
      expect(await sees()).toEqual([false, false, false, false]);
      looks = [];
      const rule = await make("apiKey", apiKeyId, { actions: ["list", "read"] });
      expect(await sees()).toEqual([true, true, false, false]);
      expect(looks).toEqual([apiKeyId, apiKeyId]);
      await createPolicy({ db, bus, subjects }).remove(ctx(), rule.id, null);
      expect(await sees()).toEqual([false, false, false, false]);
    });
  });
}

for (const engine of engines) contract(engine);

test("What is kept for a person is not given to them when they show a key, which may see less", () => {
  const ann: Person = { type: "user", id: "user_ann", role: "user", sessionId: null };
  const actors: Actor[] = [ann, { ...ann, apiKeyId: "key_1" }, { ...ann, apiKeyId: "key_2" }];
  expect(new Set(actors.map(identityOf)).size).toBe(3);
  expect(identityOf({ ...ann, sessionId: "sess_1" })).toBe(identityOf(ann));
  expect(identityOf({ type: "anonymous" })).toBeNull();
});
