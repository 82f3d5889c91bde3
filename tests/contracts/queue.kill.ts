import { z } from "zod";
import { defineJob } from "../../src/ports/queue/define.ts";

/** What the workers do that are killed: it leaves evidence of each run, and takes so many milliseconds. */
export const work = defineJob({
  name: "kill.work",
  input: z.object({ n: z.number(), ms: z.number() }),
  retry: { attempts: 20 },
});
