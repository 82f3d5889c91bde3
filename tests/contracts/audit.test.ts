/** The trail on each engine: what was done to it by hand, past all triggers, is found and named. */
import { afterEach, describe, expect, test } from "bun:test";
import { sha256 } from "@noble/hashes/sha2.js";
import { prove, verifyProof } from "../../src/modules/audit/proof.ts";
import { prune } from "../../src/modules/audit/prune.ts";
import { createSealing } from "../../src/modules/audit/sealing.ts";
import type { Fault } from "../../src/modules/audit/verify.ts";
import { generateKeys, importKeys } from "../../src/modules/auth/keys.ts";
import { createBunSql } from "../../src/ports/db/bun-sql.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import type { RunScript } from "../../src/ports/db/port.ts";
import { type Opened, openPglite, openPostgres, openSqlite } from "../helpers/databases.ts";
import { serverAnswers } from "../helpers/postgres.ts";
import { commandContext, entryOf, exported, keys, now, sealAll, tamper, verdict, write } from "./audit.ts";

type Where = [kind: Fault["kind"], id: string | null, position: number | null];
const where = (faults: readonly Fault[]): Where[] => faults.map(({ kind, id, position }) => [kind, id, position]);

/** Seven, then five sealed entries, and one that is open: ids in order. */
interface Scene {
  ids: string[];
  run: RunScript;
}
interface Deed {
  name: string;
  deed(scene: Scene): Promise<unknown>;
  found(ids: string[]): Where[];
}

/** Through a copy: SQLite updates row by row, and would see the first row's new value in the second. */
async function swap(run: RunScript, columns: readonly string[], a: string, b: string): Promise<void> {
  await run(`create table copied as select * from audit_entries where id in ('${a}', '${b}')`);
  for (const [to, from] of [
    [a, b],
    [b, a],
  ])
    for (const column of columns)
      await run(
        `update audit_entries set ${column} = (select c.${column} from copied c where c.id = '${from}') where id = '${to}'`,
      );
  await run("drop table copied");
}

const deeds: Deed[] = [
  {
    name: "an edited entry",
    deed: ({ ids, run }) => run(`update audit_entries set actor_id = 'user_2' where id = '${ids[3]}'`),
    found: (ids) => [["altered", ids[3] as string, 3]],
  },
  {
    name: "an entry whose time was moved by a millisecond",
    deed: ({ ids, run }) =>
      run(`update audit_entries set created_at = '2026-01-31T09:30:00.001Z' where id = '${ids[9]}'`),
    found: (ids) => [
      ["altered", ids[9] as string, 9],
      ["inserted", ids[9] as string, 9],
    ],
  },
  {
    name: "a value that became null",
    deed: ({ ids, run }) => run(`update audit_entries set new_value = null where id = '${ids[11]}'`),
    found: (ids) => [["altered", ids[11] as string, 11]],
  },
  {
    name: "a deleted entry",
    deed: ({ ids, run }) => run(`delete from audit_entries where id = '${ids[4]}'`),
    found: (ids) => [["removed", ids[4] as string, 4]],
  },
  {
    name: "the newest sealed entry deleted",
    deed: ({ ids, run }) => run(`delete from audit_entries where id = '${ids[11]}'`),
    found: (ids) => [["removed", ids[11] as string, 11]],
  },
  {
    name: "an entry deleted with its leaf",
    deed: async ({ ids, run }) => {
      await run(`delete from audit_entries where id = '${ids[8]}'`);
      await run(`delete from audit_leaves where id = '${ids[8]}'`);
    },
    found: () => [["removed", null, 8]],
  },
  {
    name: "the newest entry deleted with its leaf",
    deed: async ({ ids, run }) => {
      await run(`delete from audit_entries where id = '${ids[11]}'`);
      await run(`delete from audit_leaves where id = '${ids[11]}'`);
    },
    found: () => [["removed", null, 11]],
  },
  {
    name: "what two entries say, swapped",
    deed: ({ ids, run }) =>
      swap(run, ["created_at", "entity_id", "old_value", "new_value"], ids[1] as string, ids[2] as string),
    found: (ids) => [
      ["altered", ids[1] as string, 1],
      ["altered", ids[2] as string, 2],
    ],
  },
  {
    name: "the ids of two entries, swapped",
    deed: async ({ ids: [, a, b], run }) => {
      await run(`update audit_entries set id = 'aud_x' where id = '${a}'`);
      await run(`update audit_entries set id = '${a}' where id = '${b}'`);
      await run(`update audit_entries set id = '${b}' where id = 'aud_x'`);
    },
    found: (ids) => [
      ["altered", ids[1] as string, 1],
      ["altered", ids[2] as string, 2],
    ],
  },
  {
    name: "the places of two entries, swapped",
    deed: async ({ ids: [, , a, b], run }) => {
      await run(`update audit_leaves set position = 999 where id = '${a}'`);
      await run(`update audit_leaves set position = 2 where id = '${b}'`);
      await run("update audit_leaves set position = 3 where position = 999");
    },
    found: (ids) => [
      ["reordered", ids[3] as string, 2],
      ["reordered", ids[2] as string, 3],
    ],
  },
  {
    name: "a leaf that was altered without its entry",
    deed: ({ ids, run }) => run(`update audit_leaves set hash = '${"A".repeat(43)}' where id = '${ids[5]}'`),
    found: (ids) => [["altered", ids[5] as string, 5]],
  },
  {
    name: "all that a seal is over, deleted",
    deed: async ({ run }) => {
      await run("delete from audit_entries where id in (select id from audit_leaves where position < 7)");
      await run("delete from audit_leaves where position < 7");
    },
    found: (ids) => [["removed", ids[0] as string, 0]],
  },
  {
    name: "a seal that was removed",
    deed: ({ run }) => run("delete from audit_seals where number = 1"),
    found: () => [["removed", null, null]],
  },
  {
    name: "peaks that were altered",
    deed: ({ run }) => run(`update audit_seals set peaks = '["${"A".repeat(43)}"]' where number = 1`),
    found: () => [["altered", null, null]],
  },
];

function contract(name: string, open: () => Promise<Opened>, tried = deeds) {
  describe(name, () => {
    let opened: Opened | null = null;
    afterEach(async () => {
      await opened?.done();
      opened = null;
    });
    async function scene() {
      opened = await open();
      const { db } = opened;
      const ids = await write(db, 7);
      await sealAll(db);
      ids.push(...(await write(db, 5, 7)));
      await sealAll(db);
      await write(db, 1, 12);
      return { db, ids };
    }

    test("what nobody touched is proved: each sealed entry once, in its place, and what is open is counted", async () => {
      const { db } = await scene();
      const report = await verdict(await exported(db));
      expect(report).toMatchObject({ proved: 12, open: 1, masked: 0, pruned: 0, seals: 2, faults: [] });
      expect(report.newest).toMatchObject({ number: 2, size: 12, pruned: 0 });
      expect(await sealAll(db)).toEqual({ sealed: 1, seals: 1 });
      expect(await sealAll(db)).toEqual({ sealed: 0, seals: 0 });
      const later = await verdict(await exported(db, { after: 2 }));
      expect(later).toMatchObject({ proved: 1, open: 0, seals: 2, faults: [] });
    });

    for (const { name, deed, found } of tried) {
      test(`${name} is found`, async () => {
        const { db, ids } = await scene();
        await tamper(db, (run) => deed({ ids, run }));
        const { faults } = await verdict(await exported(db));
        expect(where(faults)).toEqual(found(ids));
      });
    }

    test("an entry that was altered together with its leaf is pinned to its seal, and what is under others stays proved", async () => {
      const { db, ids } = await scene();
      const clean = await exported(db);
      await tamper(db, async (run) => {
        await run(`update audit_entries set actor_id = 'user_2' where id = '${ids[3]}'`);
        await run(`update audit_leaves set hash = '${"B".repeat(43)}' where id = '${ids[3]}'`);
      });
      const report = await verdict(await exported(db));
      expect(report.faults).toMatchObject([{ kind: "altered", id: ids[3], seal: 1 }]);
      expect(report.proved).toBe(5);
      expect((await verdict(clean)).faults).toEqual([]);
    });

    test("an entry that is slipped in later is sealed where it came, and told for the time that it claims", async () => {
      const { db } = await scene();
      const old = entryOf(50, { createdAt: "2026-01-31T09:30:00.000Z" });
      await db.atomic((tx) => [tx.insert(db.tables.auditEntries).values(old)]);
      expect(where((await verdict(await exported(db))).faults)).toEqual([["inserted", old.id, null]]);
      await sealAll(db);
      expect(where((await verdict(await exported(db))).faults)).toEqual([["inserted", old.id, 13]]);
    });

    test("an entry under an old id is found by the sweep and sealed behind the others", async () => {
      const { db } = await scene();
      const id = "aud_01h455vb4pex5vsknk084sn02q";
      await db.atomic((tx) => [tx.insert(db.tables.auditEntries).values(entryOf(50, { id }))]);
      expect(await sealAll(db)).toEqual({ sealed: 1, seals: 1 });
      expect(await createSealing({ db, keys }).sweep(now())).toEqual({ sealed: 1, seals: 1 });
      expect(where((await verdict(await exported(db))).faults)).toEqual([["inserted", id, 13]]);
    });

    test("the newest entries, deleted with their leaves and seals, are missed by an anchor, and by nothing else", async () => {
      const { db } = await scene();
      const lines = await exported(db);
      const anchors = lines.flatMap((line) => (line.startsWith('{"seal"') ? [JSON.parse(line).seal as string] : []));
      expect((await verdict(lines, anchors)).faults).toEqual([]);
      await tamper(db, async (run) => {
        await run("delete from audit_entries where id in (select id from audit_leaves where position >= 7)");
        await run("delete from audit_leaves where position >= 7");
        await run("delete from audit_seals where number = 2");
      });
      const cut = await exported(db);
      expect((await verdict(cut)).faults).toEqual([]);
      expect((await verdict(cut, anchors)).faults).toMatchObject([{ kind: "truncated", seal: 2 }]);
    });

    test("a file that is cut off, or lacks a line, is told from a whole one", async () => {
      const { db, ids } = await scene();
      const lines = await exported(db);
      expect((await verdict(lines.slice(0, -1))).faults).toMatchObject([{ kind: "truncated" }]);
      expect((await verdict(lines.slice(0, 12))).faults.map(({ kind }) => kind)).toEqual(["truncated", "truncated"]);
      expect(where((await verdict(lines.toSpliced(4, 1))).faults)).toEqual([["removed", null, 3]]);
      const twice = lines.toSpliced(4, 0, lines[4] as string);
      expect(where((await verdict(twice)).faults)[0]).toEqual(["inserted", ids[3] as string, 3]);
      const swapped = lines.with(2, lines[3] as string).with(3, lines[2] as string);
      expect((await verdict(swapped)).faults.map(({ kind }) => kind)).toEqual(["reordered", "reordered"]);
    });

    test("a seal that another key made is forged, and nothing is sealed behind one", async () => {
      const { db } = await scene();
      const lines = await exported(db);
      const others = await importKeys(await generateKeys());
      const { faults } = await verdict(lines, [], others);
      expect(faults.filter(({ kind }) => kind === "forged")).toHaveLength(2);
      await expect(createSealing({ db, keys: others }).seal(now())).rejects.toThrow();
      await tamper(db, (run) => run("update audit_seals set size = 11 where number = 2"));
      await expect(sealAll(db)).rejects.toThrow();
    });

    test("a sealing and a sweep at once both go through, and no entry is sealed twice", async () => {
      const { db } = await scene();
      for (let round = 0; round < 4; round++) {
        await write(db, 20, 20 * round);
        const sealing = createSealing({ db, keys });
        const both = await Promise.all([sealing.seal(now()), sealing.sweep(now())]);
        expect(both.reduce((sum, { sealed }) => sum + sealed, 0)).toBe(round === 0 ? 21 : 20);
      }
      expect((await verdict(await exported(db))).faults).toEqual([]);
    });

    test("two that seal at once make one line of seals", async () => {
      const { db } = await scene();
      await write(db, 20, 20);
      await Promise.allSettled([sealAll(db), sealAll(db), sealAll(db)]);
      await sealAll(db);
      expect(await verdict(await exported(db))).toMatchObject({ proved: 33, open: 0, faults: [] });
    });

    test("one entry is proved to whoever sees no other, and a proof that was changed in any part is none", async () => {
      const { db, ids } = await scene();
      for (const id of ids) {
        const proof = await prove(db, id);
        const seal = await verifyProof(proof, keys.verifiers, sha256);
        expect(seal).toMatchObject({ number: ids.indexOf(id) < 7 ? 1 : 2 });
        expect(JSON.parse(proof.entry)).toMatchObject({ id, oldValue: { a: { y: "ü€😀" } } });
        const wrong = [
          { ...proof, entry: proof.entry.replace("user_1", "user_2") },
          { ...proof, position: (proof.position + 1) % 7 },
          { ...proof, path: proof.path.slice(1) },
          { ...proof, seal: `${proof.seal.slice(0, -4)}AAAA` },
        ];
        for (const one of wrong) expect(await verifyProof(one, keys.verifiers, sha256)).toBeNull();
      }
      await expect(prove(db, "aud_unknown")).rejects.toThrow();
    });

    test("what was exported is pruned by whole seals, what stays is proved as before, and nothing else is let go", async () => {
      const { db, ids } = await scene();
      const lines = await exported(db);
      const report = await verdict(lines);
      const pruned = (before: string, by = report) => prune({ db, keys }, commandContext(), before, by);
      const masked = await verdict(await exported(db, { shown: (entry) => ({ ...entry, oldValue: null }) }));
      expect(masked).toMatchObject({ proved: 0, masked: 12, faults: [] });
      await expect(pruned(now(), masked)).rejects.toThrow("does not show all");
      await expect(pruned(now(), await verdict(lines.slice(0, -1)))).rejects.toThrow("does not verify");
      await expect(pruned(now(), await verdict(await exported(db, { after: 1 })))).rejects.toThrow("begins at 7");
      expect(await pruned("2026-01-31T09:30:00.000Z")).toEqual({ seal: 0, deleted: 0 });
      expect((await verdict(await exported(db))).proved).toBe(12);

      const second = JSON.parse(
        atob((lines.filter((line) => line.startsWith('{"seal"'))[1] ?? "").split(".")[1] ?? ""),
      );
      expect(await pruned(second.time)).toEqual({ seal: 1, deleted: 7 });
      expect(await verdict(await exported(db))).toMatchObject({ proved: 5, pruned: 7, open: 2, seals: 3, faults: [] });
      await sealAll(db);
      const after = await exported(db);
      expect(await verdict(after)).toMatchObject({ proved: 7, pruned: 7, open: 0, faults: [] });
      expect(
        after.some((line) => line.includes('"action":"audit.prune"') && line.includes('"reason":"kept a year"')),
      ).toBe(true);
      expect(await verifyProof(await prove(db, ids[8] as string), keys.verifiers, sha256)).not.toBeNull();
      await expect(db.exclusively((run) => run(`delete from audit_entries where id = '${ids[7]}'`))).rejects.toThrow();
      expect(await verdict(await exported(db, { after: 1 }))).toMatchObject({ start: 7, proved: 7, faults: [] });
    });

    test("entries that are deleted under a seal that gives them up and that nobody signed are missed", async () => {
      const { db, ids } = await scene();
      const [, , jws] = [0, 0, (await exported(db)).filter((line) => line.startsWith('{"seal"'))[1]];
      await db.atomic((tx) => [
        tx.insert(db.tables.auditSeals).values({
          ...{ id: "seal_forged", number: 3, size: 12, pruned: 12, peaks: [] },
          jws: JSON.parse(jws as string).seal,
        }),
      ]);
      await db.exclusively(async (run) => {
        for (const table of ["audit_entries", "audit_leaves"]) await run(`delete from ${table} where id = '${ids[0]}'`);
      });
      const kinds = (await verdict(await exported(db))).faults.map(({ kind }) => kind);
      expect(kinds).toContain("removed");
      expect(kinds.length).toBeGreaterThan(1);
    });

    test("entries, leaves and seals are refused to be changed, deleted or truncated by SQL", async () => {
      const { db } = await scene();
      for (const table of ["audit_entries", "audit_leaves", "audit_seals"])
        for (const text of [
          `update ${table} set created_at = created_at`,
          `delete from ${table}`,
          ...(db.dialect === "pg" ? [`truncate ${table}`] : []),
        ])
          await expect(db.exclusively((run) => run(text))).rejects.toThrow(`${table} is append-only`);
      expect((await verdict(await exported(db))).faults).toEqual([]);
    });
  });
}

const hasServer = await serverAnswers();
// Each deed takes a database of its own. The two PostgreSQL engines keep the same rows.
contract("PGlite", () => openPglite("memory", openBunSqlite), hasServer ? [] : deeds);
contract("bun:sqlite", () => openSqlite("memory", openBunSqlite));
if (hasServer) contract("PostgreSQL", () => openPostgres(createBunSql));
