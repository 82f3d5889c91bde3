/** What rules can be about, as data that the modules declare. */
import type { Column } from "drizzle-orm/column";
import type { SQL } from "drizzle-orm/sql";
import type { Tables } from "../../db/tables.ts";
import type { Action, Subject } from "./ability.ts";
import { alwaysShown } from "./casl.ts";

/** Of one subject. */
export interface SubjectSpec {
  /** What conditions can look at: the columns that every read of the subject selects. */
  columns?: (tables: Tables) => Readonly<Record<string, Column>>;
  /** Rows that exist for nobody, such as deleted ones, are not among these. */
  base?: (tables: Tables) => SQL | undefined;
  /** What is shown of a row, and what inputs hold beyond it: the names that rules about fields can have. */
  fields: readonly string[];
  /** The actions whose verbs ask about the row and its fields. Stored rules about others have neither conditions nor fields. */
  judged: readonly Exclude<Action, "manage">[];
}

/** Every subject, so that none is without a declaration. */
export type Subjects = Readonly<Record<Exclude<Subject, "all">, SubjectSpec>>;

export const isSubject = (subjects: Subjects, name: string): name is keyof Subjects => Object.hasOwn(subjects, name);

/** The names that a rule's `fields` can have; the others are shown with every row, or do not exist. */
export const nameable = ({ fields }: SubjectSpec): string[] => fields.filter((field) => !alwaysShown.has(field));
