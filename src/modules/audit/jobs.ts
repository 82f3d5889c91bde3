import { z } from "zod";
import type { Anchor } from "../../ports/anchor/port.ts";
import type { Db } from "../../ports/db/port.ts";
import { defineJob, handle, type JobContext, type JobHandler } from "../../ports/queue/define.ts";
import { enqueue } from "../../ports/queue/enqueue.ts";
import { schedule } from "../../ports/schedule/define.ts";
import type { KeySet } from "../auth/keys.ts";
import { createSealing, type Follows } from "./sealing.ts";

const counts = z.object({ sealed: z.number(), seals: z.number() });

/** Seals what has been written lately. */
export const sealEntries = defineJob({
  name: "audit.seal",
  input: z.object({}),
  result: counts,
  timeoutMs: 300_000,
  unique: { key: () => "one", mode: "skip" },
  keepMs: 3_600_000,
});
export const sealMinutely = schedule("* * * * *", sealEntries, { input: {}, catchUp: true });

/** Looks at the whole trail for entries that appeared behind others, and seals them. */
const sweepEntries = defineJob({
  name: "audit.sweep",
  input: z.object({}),
  result: counts,
  timeoutMs: 3_600_000,
  unique: { key: () => "one", mode: "skip" },
});
export const sweepEntriesDaily = schedule("50 3 * * *", sweepEntries, { input: {}, catchUp: true });

/** Takes a seal to one anchor. It commits with the seal, and is tried until it has arrived or two days are over. */
const anchorSeal = defineJob({
  name: "audit.anchor",
  input: z.object({ anchor: z.string(), jws: z.string() }),
  retry: { attempts: 50, baseMs: 5_000, maxMs: 3_600_000 },
});

export interface AuditJobsDeps {
  db: Db;
  /** Null: nothing is sealed. */
  auditKeys: KeySet | null;
  anchors: readonly Anchor[];
}

export function auditJobs({ db, auditKeys, anchors }: AuditJobsDeps): JobHandler[] {
  const sealing = auditKeys && createSealing({ db, keys: auditKeys });
  const anchored =
    (by: JobContext): Follows =>
    (tx, { jws }) =>
      anchors.map(({ name }) => enqueue(tx, anchorSeal, { anchor: name, jws }, { by }));
  const none = { sealed: 0, seals: 0 };
  return [
    handle(sealEntries, (_, ctx) =>
      sealing ? sealing.seal(ctx.now, { signal: ctx.signal, follows: anchored(ctx) }) : none,
    ),
    handle(sweepEntries, (_, ctx) =>
      sealing ? sealing.sweep(ctx.now, { signal: ctx.signal, follows: anchored(ctx) }) : none,
    ),
    handle(anchorSeal, async ({ anchor, jws }) => {
      // One that is configured no more has nothing to be told.
      await anchors.find(({ name }) => name === anchor)?.put(jws);
    }),
  ];
}
