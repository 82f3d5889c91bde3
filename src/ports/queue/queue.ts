/** Jobs that are enqueued alone. With a change they are enqueued by `enqueue`, as a part of it. */
import type { z } from "zod";
import { type Clock, toInstant } from "../../core/clock.ts";
import type { Db } from "../db/port.ts";
import type { JobType } from "./define.ts";
import { commonOf, type Enqueue, ownOf, toRow } from "./enqueue.ts";
import { insertion, insertions } from "./insertion.ts";
import type { Cause, EnqueueOptions } from "./port.ts";

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
      await db.atomic((tx) => insertions(tx, db.dialect, common, made));
      return made.map(({ id }) => id);
    },
  };
}
