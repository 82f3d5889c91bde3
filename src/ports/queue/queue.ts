/** Jobs that are enqueued alone. With a change they are enqueued by `enqueue`, as a part of it. */
import { type SQL, sql } from "drizzle-orm/sql";
import { getTableColumns } from "drizzle-orm/utils";
import type { z } from "zod";
import type { Tables } from "../../../db/tables.ts";
import { type Clock, toInstant } from "../../core/clock.ts";
import { value } from "../db/placeholders.ts";
import type { Builders, Db, Dialect } from "../db/port.ts";
import type { JobType } from "./define.ts";
import { commonOf, type Enqueue, type NewJob, ownOf, toRow } from "./enqueue.ts";
import { insertion } from "./insertion.ts";
import { firstOf } from "./payload.ts";
import type { Cause, EnqueueOptions } from "./port.ts";
import { rowsOf } from "./rows.ts";

export interface Queue {
  /** Throws as `enqueue` does. */
  add<In extends z.ZodType, Out extends z.ZodType>(
    type: JobType<In, Out>,
    input: z.input<In>,
    options?: AddOptions,
  ): Promise<Added>;
  /** All of them or none; a statement carries a thousand. Answers their ids in the order of the inputs. Unique jobs are left to `add`. */
  addMany<In extends z.ZodType, Out extends z.ZodType>(
    type: JobType<In, Out>,
    inputs: readonly z.input<In>[],
    options?: Omit<AddOptions, "unique">,
  ): Promise<string[]>;
}

export type AddOptions = EnqueueOptions & { by?: Cause };

export interface Added {
  /** Null where a unique job was there already and was left as it is. */
  id: string | null;
  /** Whether it is a new job; false too for one that took the new input (`replace`, `debounce`). */
  created: boolean;
}

const BATCH = 1000;

/** What jobs of one batch do not have in common. */
const rows = (dialect: Dialect) => rowsOf(dialect, { id: "text", input: "json", group_key: "string" });
const row = { pg: rows("pg"), sqlite: rows("sqlite") };
const NULL = sql`null`;

const insertMany =
  (dialect: Dialect) =>
  (q: Builders, { jobs }: Tables) => {
    const given: Record<string, SQL> = {
      id: sql`r.id`,
      input: sql`r.input`,
      groupKey: sql`r.group_key`,
      attempt: sql`0`,
    };
    for (const name of COMMON) given[name] = value(name, jobs[name]);
    const selected = Object.keys(getTableColumns(jobs)).map((name) => given[name] ?? NULL);
    return q.insert(jobs).select(sql`select ${sql.join(selected, sql`, `)} from ${row[dialect].from}`);
  };

const COMMON = [
  "createdAt",
  "name",
  "queue",
  "state",
  "rank",
  "runAt",
  "inputVersion",
  "maxAttempts",
  "expiresAt",
  "deadlineAt",
  "actor",
  "traceId",
  "requestId",
  "scheduleName",
] as const;

const bulk = { pg: insertMany("pg"), sqlite: insertMany("sqlite") };

export function createQueue({ db, clock }: { db: Db; clock: Clock }): Queue {
  const own = (): Cause => ({
    actor: { type: "system", id: "queue" },
    requestId: null,
    traceId: null,
    now: toInstant(clock.now()),
  });
  const withCause = (options: AddOptions = {}): Enqueue => ({ ...options, by: options.by ?? own() });

  return {
    async add(type, input, options) {
      const { row, mode } = toRow(type, input, withCause(options));
      const [[made]] = (await db.atomic((tx) => [insertion(tx, row, mode)])) as [{ id: string }[]];
      return { id: made?.id ?? null, created: made?.id === row.id };
    },
    async addMany(type, inputs, options) {
      if (type.unique) throw new Error(`Jobs of ${type.name} are unique: they are enqueued one by one`);
      const given = withCause(options);
      const common = commonOf(type, given);
      const made = inputs.map((input) => ownOf(type, input, given).own);
      if (made.length === 0) return [];
      const batches: Record<string, string>[] = [];
      for (let left = made; left.length > 0; ) {
        const batch = firstOf(left, BATCH, ({ input }) => input);
        batches.push(row[db.dialect].bind(batch.map(asCells)));
        left = left.slice(batch.length);
      }
      await db.atomic((tx) => batches.map((batch) => tx.prepare(bulk[db.dialect])({ ...common, ...batch })));
      return made.map(({ id }) => id);
    },
  };
}

const asCells = ({ id, input, groupKey }: Pick<NewJob, "id" | "input" | "groupKey">) => ({
  id,
  input,
  group_key: groupKey,
});
