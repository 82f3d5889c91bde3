/** What the trail's tests share: keys, entries, an export, and the verdict on it. */
import { sha256 } from "@noble/hashes/sha2.js";
import { asc, eq } from "drizzle-orm";
import { toInstant } from "../../src/core/clock.ts";
import { newId } from "../../src/core/id.ts";
import { type ExportOptions, exportLines } from "../../src/modules/audit/export.ts";
import { createSealing } from "../../src/modules/audit/sealing.ts";
import { createVerifier, type Report } from "../../src/modules/audit/verify.ts";
import { generateKeys, importKeys } from "../../src/modules/auth/keys.ts";
import { caslAbilities } from "../../src/policy/casl.ts";
import { inward } from "../../src/policy/context.ts";
import type { Db, RunScript } from "../../src/ports/db/port.ts";

export const keys = await importKeys(await generateKeys());
export const now = () => toInstant(Date.now());

export const entryOf = (i: number, extra: Record<string, unknown> = {}) => ({
  id: newId("aud"),
  createdAt: now(),
  actorType: "user",
  actorId: "user_1",
  action: "user.update",
  entityType: "User",
  entityId: `user_${i}`,
  oldValue: { name: `Name ${i}`, b: 1, a: { z: [1, 2.5, null], y: "ü€😀" } },
  newValue: { name: `Name ${i + 1}` },
  ...extra,
});

export async function write(db: Db, count: number, from = 0): Promise<string[]> {
  const rows = Array.from({ length: count }, (_, i) => entryOf(from + i));
  for (let i = 0; i < rows.length; i += 5)
    await db.atomic((tx) => rows.slice(i, i + 5).map((row) => tx.insert(db.tables.auditEntries).values(row)));
  return rows.map(({ id }) => id).sort();
}

export const sealAll = (db: Db) => createSealing({ db, keys }).seal(now());

export async function exported(db: Db, options?: ExportOptions): Promise<string[]> {
  const texts: string[] = [];
  for await (const text of exportLines(db, options)) texts.push(text);
  return texts.join("").trimEnd().split("\n");
}

export async function verdict(lines: readonly string[], anchors: readonly string[] = [], by = keys): Promise<Report> {
  const verifier = createVerifier({ verifiers: by.verifiers, sha256, anchors });
  for (const line of lines) await verifier.line(line);
  return verifier.end();
}

/** As a superuser who has switched the triggers off. */
export const tamper = (db: Db, work: (run: RunScript) => Promise<unknown>): Promise<void> =>
  db.exclusively(async (run) => {
    if (db.dialect === "pg") {
      for (const table of ["audit_entries", "audit_leaves", "audit_seals"])
        await run(`alter table ${table} disable trigger user`);
    } else {
      const triggers = await run(
        "select name from sqlite_master where type = 'trigger' and tbl_name like 'audit_%'",
        [],
      );
      for (const [name] of triggers) await run(`drop trigger ${name}`);
    }
    await work(run);
  });

export function commandContext() {
  const actor = { type: "system", id: "command" } as const;
  const by = { requestId: null, traceId: null, now: now(), signal: new AbortController().signal };
  return inward(by, { actor, ability: caslAbilities({}).abilityFor(actor), reason: "kept a year" });
}

/** The entries about one row, oldest first. */
export const entriesOf = (db: Db, id: string) => {
  const { auditEntries: e } = db.tables;
  return db.all(
    db.prepare((q) =>
      q
        .select({
          ...{ id: e.id, actorType: e.actorType, actorId: e.actorId, action: e.action, requestId: e.requestId },
          ...{ oldValue: e.oldValue, newValue: e.newValue, createdAt: e.createdAt },
        })
        .from(e)
        .where(eq(e.entityId, id))
        .orderBy(asc(e.createdAt), asc(e.id)),
    )(),
    { fresh: true },
  );
};
/** As somebody does who has a shell of the database. */
export const run = (db: Db, text: string) => db.exclusively((script) => script(text));
