/**
 * PostgreSQL in the process. One connection with a mutex of its own, so transactions are serial. A directory belongs to one process:
 * PGlite takes no lock, and a second one would corrupt it, so a lock is held beside it until the process ends, however it ends.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { PGlite, type PGliteOptions, types } from "@electric-sql/pglite";
import { CannotStart } from "../../core/cannot-start.ts";
import type { PgClient } from "./pg.ts";
import type { RunScript } from "./port.ts";
import type { SqliteFile } from "./sqlite-file.ts";

interface PgliteOptions {
  /** The data directory, or null for a database in memory. */
  dir: string | null;
  /** Opens an SQLite file, whose lock the operating system gives back when the process ends. */
  openLock: (path: string) => SqliteFile;
}

/** An empty cluster, so that a first start does not run initdb (scripts/pglite-cluster.ts). */
const cluster = new URL("./cluster.tar.br", import.meta.url);

const asText = (value: string) => value;
// int8 as in a folded list and in SQLite: a count is a number, exact up to 2^53.
const parsers = { [types.TIMESTAMPTZ]: asText, [types.TIMESTAMP]: asText, [types.INT8]: Number };
// jsonb arrives encoded (db/kit.ts); PGlite would encode it a second time.
const serializers = { [types.JSONB]: asText, [types.JSON]: asText, [types.TIMESTAMPTZ]: asText };

export async function createPglite({ dir, openLock }: PgliteOptions): Promise<PgClient> {
  const lock = dir === null ? null : takeLock(dir, openLock);
  const pglite = await open(dir).catch((error) => {
    lock?.close();
    throw error;
  });

  const rows = { rowMode: "array" as const, parsers, serializers };
  return {
    query: async ({ text, params }) => (await pglite.query<unknown[]>(text, params, rows)).rows,
    flight: (queries) =>
      pglite.transaction(async (tx) => {
        const answers: unknown[][][] = [];
        for (const { text, params } of queries) answers.push((await tx.query<unknown[]>(text, params, rows)).rows);
        return answers;
      }),
    exclusively: (work) =>
      pglite.transaction((tx) => {
        const run: RunScript = async (text, params) => {
          if (params) return (await tx.query<unknown[]>(text, params, rows)).rows;
          await tx.exec(text);
          return [];
        };
        return work(run);
      }),
    async close() {
      await pglite.close();
      lock?.close();
    },
  };
}

async function open(dir: string | null): Promise<PGlite> {
  const options: PGliteOptions = { parsers, serializers };
  if (dir !== null) options.dataDir = dir;
  // A first start that was killed leaves half a cluster and this mark, which is only looked at under the lock.
  const unfinished = dir === null ? null : `${dir}.unfinished`;
  if (dir !== null && unfinished !== null) {
    refuseOthers(dir, unfinished);
    if (existsSync(unfinished)) rmSync(dir, { recursive: true, force: true });
  }
  if (dir === null || !existsSync(`${dir}/PG_VERSION`)) {
    if (unfinished !== null) writeFileSync(unfinished, "");
    if (existsSync(cluster)) options.loadDataDir = new Blob([brotliDecompressSync(readFileSync(cluster))]);
  }
  const pglite = await PGlite.create(options);
  await pglite.exec("set time zone 'UTC'");
  if (unfinished !== null) rmSync(unfinished, { force: true });
  return pglite;
}

/** What is not ours is never begun in: the mark of an unfinished start lets the next one delete all that is there. */
function refuseOthers(dir: string, unfinished: string): void {
  if (!existsSync(dir)) return;
  if (!statSync(dir).isDirectory()) throw new CannotStart(`DATABASE_URL: ${dir} is no directory`);
  if (existsSync(unfinished) || existsSync(`${dir}/PG_VERSION`) || readdirSync(dir).length === 0) return;
  throw new CannotStart(`DATABASE_URL: the directory ${dir} holds other files, and no PGlite database`);
}

function takeLock(dir: string, openLock: PgliteOptions["openLock"]): SqliteFile {
  mkdirSync(dirname(dir), { recursive: true });
  const lock = openLock(`${dir}.lock`);
  try {
    lock.exec("begin exclusive");
    return lock;
  } catch (cause) {
    lock.close();
    if (!/database is locked/.test(String((cause as Error).message))) throw cause;
    throw new CannotStart(
      `The PGlite directory ${dir} is in use by another process. Stop that process, or set DATABASE_URL to another ` +
        "directory, or to a PostgreSQL server, which many processes can share.",
    );
  }
}
