/** Answers why an actor may do something, or may not: for administrators, over HTTP and from the command line. */
import { and, eq, type SQL, sql } from "drizzle-orm/sql";
import type { Tables } from "../../../db/tables.ts";
import { type Actor, anonymous } from "../../core/actor.ts";
import { AppError } from "../../core/error.ts";
import type { Ability, AbilityFactory, Subject } from "../../policy/ability.ts";
import { type Explanation, explain } from "../../policy/explain.ts";
import { isSubject, type SubjectSpec, type Subjects } from "../../policy/subjects.ts";
import type { Builders, Db } from "../../ports/db/port.ts";
import type { Rulebook } from "./rulebook.ts";
import type { PolicyQuestion } from "./schema.ts";
import { createRuleStore } from "./store.ts";

interface ExplainDeps {
  db: Db;
  abilities: AbilityFactory;
  rulebook: Rulebook;
  subjects: Subjects;
}

export interface Answer {
  allowed: boolean | null;
  decisions: Explanation[];
}

type Whom = Pick<PolicyQuestion, "userId" | "apiKeyId" | "role">;

export type Explainer = ReturnType<typeof createExplainer>;

const wrong = (pointer: string, detail: string) =>
  new AppError("invalid_input", { errors: [{ in: "body", pointer, detail }] });

export function createExplainer({ db, abilities, rulebook, subjects }: ExplainDeps) {
  const store = createRuleStore(db);

  async function actorOf({ userId, apiKeyId, role }: Whom): Promise<Actor> {
    if (role !== undefined && (userId !== null || apiKeyId === undefined))
      throw wrong("/role", "is that of a key that acts for itself");
    if (userId !== null) {
      const person = await store.person(userId);
      if (!person) throw wrong("/userId", "is nobody's id");
      return apiKeyId === undefined ? person : { ...person, apiKeyId };
    }
    if (apiKeyId === undefined) return anonymous;
    if (role === undefined) throw wrong("/role", "is missing: the role of the key, or `userId` of who shows it");
    return { type: "apiKey", id: apiKeyId, role };
  }

  async function abilityOf(whom: Whom): Promise<Ability> {
    const actor = await actorOf(whom);
    return abilities.abilityFor(actor, "role" in actor ? (await rulebook.rulesOf(actor)).rules : []);
  }

  /** The row as it is, whoever may see it. */
  async function load(subject: Subject, id: string): Promise<object> {
    const select = subject === "all" ? null : selectRow(subjects[subject]);
    if (!select) throw wrong("/id", `${subject} has no rows that could be looked at`);
    const [row] = await db.all(db.prepare(select)({ id }), { fresh: true });
    if (!row) throw wrong("/id", "names no row");
    return row as object;
  }

  return async ({ action, subject, id, row: given, fields, ...whom }: PolicyQuestion): Promise<Answer> => {
    if (subject !== "all" && !isSubject(subjects, subject))
      throw wrong("/subject", `is not a subject: ${[...Object.keys(subjects), "all"].join(", ")}`);
    if (id !== undefined && given !== undefined) throw wrong("/row", "is given beside an id; give one of the two");
    const ability = await abilityOf(whom);
    const row = id === undefined ? given : await load(subject, id);
    const about = (fields ?? [null]).map((field) => ({ field, ...(row && { row }) }));
    const decisions = about.flatMap((one) => judged(() => explain(ability, action, subject, one)));
    return { allowed: together(decisions), decisions };
  };
}

/** A row that somebody made up may lack what a condition looks at, or hold it in another type. */
function judged<T>(judge: () => T): T {
  try {
    return judge();
  } catch (error) {
    throw wrong("/row", (error as Error).message.replace(/^policy: /, "").slice(0, 1000));
  }
}

function together(decisions: readonly Explanation[]): boolean | null {
  if (decisions.some(({ allowed }) => allowed === false)) return false;
  return decisions.every(({ allowed }) => allowed) ? true : null;
}

type Select = (q: Builders, tables: Tables) => ReturnType<ReturnType<ReturnType<Builders["select"]>["from"]>["where"]>;

function selectRow({ columns, base }: SubjectSpec): Select | null {
  if (!columns) return null;
  return (q, tables) => {
    const selected = columns(tables);
    const { id } = selected;
    if (!id) throw new Error("policy: a subject with columns has an id");
    const conditions: (SQL | undefined)[] = [eq(id, sql.placeholder("id")), base?.(tables)];
    return q
      .select(selected as never)
      .from(id.table as never)
      .where(and(...conditions)) as never;
  };
}
