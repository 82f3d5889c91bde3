/** A writer that is killed at any moment leaves no change without its entry, and no entry without its change. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { parseEnv } from "../../src/env.ts";
import { migrate } from "../../src/ports/db/migrate.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { bunDrivers } from "../../src/runtimes/bun-drivers.ts";
import { openDb } from "../../src/runtimes/open-db.ts";
import { temporaryFolder } from "../helpers/databases.ts";
import { ownDatabase, serverAnswers } from "../helpers/postgres.ts";

/** PGlite takes a second to open its directory each time. */
const kills = (usual: number) => Number(process.env.TEST_AUDIT_KILLS ?? usual);

const hasServer = await serverAnswers();

const open = (url: string) => openDb(parseEnv({ NODE_ENV: "test", DATABASE_URL: url }).database, bunDrivers);

async function killed(url: string): Promise<void> {
  const command = [process.execPath, join(import.meta.dir, "audit.kill.peer.ts"), url];
  const peer = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
  const { done } = await peer.stdout.getReader().read();
  if (done) throw new Error("the writer ended by itself");
  await Bun.sleep(Math.random() * 40);
  peer.kill("SIGKILL");
  await peer.exited;
}

async function counts(db: Db): Promise<Record<string, number>> {
  const [row = []] = await db.exclusively((run) =>
    run(
      `select (select count(*) from users),
        (select count(*) from users u where u.version <> (select count(*) from audit_entries e where e.entity_id = u.id)),
        (select count(*) from audit_entries e where not exists (select 1 from users u where u.id = e.entity_id)),
        (select count(*) from audit_entries e where e.actor_type = 'database')`,
      [],
    ),
  );
  const [users, differing, orphans, unrecorded] = row.map(Number) as [number, number, number, number];
  return { users, differing, orphans, unrecorded };
}

async function survives(url: string, times: number): Promise<void> {
  const first = await open(url);
  await migrate(first);
  await first.close();
  for (let i = 0; i < times; i++) await killed(url);
  const db = await open(url);
  const { users, ...wrong } = await counts(db);
  await db.close();
  expect(wrong).toEqual({ differing: 0, orphans: 0, unrecorded: 0 });
  expect(users).toBeGreaterThanOrEqual(times);
}

describe("a writer that is killed", () => {
  test("on an SQLite file", async () => {
    const folder = temporaryFolder();
    await survives(`sqlite:${join(folder.path, "audit.db")}`, kills(25));
    folder.remove();
  }, 300_000);
  test("on a PGlite directory", async () => {
    const folder = temporaryFolder();
    await survives(`pglite:${join(folder.path, "data")}`, kills(6));
    folder.remove();
  }, 300_000);
  test.skipIf(!hasServer)(
    "on PostgreSQL",
    async () => {
      const own = await ownDatabase();
      await survives(own.url, kills(25));
      await own.drop();
    },
    300_000,
  );
});
