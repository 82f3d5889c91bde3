/** Jobs that delete what is over: one at a time, in batches, so that no statement holds much for long. */
import { z } from "zod";
import { defineJob, type JobContext } from "./define.ts";

/** The most that one statement deletes. */
const BATCH = 1000;

export const definePurge = (name: string, spec: { timeoutMs?: number } = {}) =>
  defineJob({
    name,
    input: z.object({}),
    result: z.object({ deleted: z.number() }),
    unique: { key: () => "one", mode: "skip" },
    ...spec,
  });

/** Deletes until there is no more, or the job's time is up. `remove` answers how many of at most `limit` it has deleted. */
export async function inBatches(
  { signal }: Pick<JobContext, "signal">,
  remove: (limit: number) => Promise<number>,
): Promise<{ deleted: number }> {
  let deleted = 0;
  for (let count = BATCH; count === BATCH && !signal.aborted; ) {
    count = await remove(BATCH);
    deleted += count;
  }
  return { deleted };
}
