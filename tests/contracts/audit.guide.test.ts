/** What docs/guides/audit.md says is done as it stands there: its example, and its role for production. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { migrate } from "../../src/ports/db/migrate.ts";
import { createPgDb } from "../../src/ports/db/pg.ts";
import { createPostgres } from "../../src/ports/db/postgres.ts";
import { temporaryFolder } from "../helpers/databases.ts";
import { type OwnDatabase, ownDatabase, poolOf, serverAnswers } from "../helpers/postgres.ts";
import { exported, sealAll, verdict, write } from "./audit.ts";

const root = join(import.meta.dir, "../..");
const guide = readFileSync(join(root, "docs/guides/audit.md"), "utf8");
const block = (language: string) => new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(guide)?.[1] ?? "";
const ready = (await serverAnswers()) && Bun.which("psql") !== null;

describe.skipIf(!ready)("the guide", () => {
  let own: OwnDatabase;
  beforeAll(async () => {
    own = await ownDatabase();
  });
  afterAll(() => own?.drop());

  test("its example prints what stands there", async () => {
    const folder = temporaryFolder();
    const script = block("sh")
      .replace(/postgres:\S+/, own.url)
      .replaceAll("trail.ndjson", join(folder.path, "trail.ndjson"));
    const { DATABASE_URL: _, ...env } = process.env;
    const child = Bun.spawn(["bash", "-e", "-c", script], {
      cwd: root,
      env: { ...env, NODE_ENV: "development" },
      stderr: "pipe",
    });
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    folder.remove();
    const printed = out
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "2026-01-31T09:30:00.000Z")
      .replace(new RegExp(`${new URL(own.url).pathname.slice(1)} at \\S+`), "example at 127.0.0.1:5432.");
    expect([err, printed]).toEqual(["", block("text")]);
    expect(await child.exited).toBe(1);
  }, 60_000);

  test("its role writes and seals, and can do nothing to what is written", async () => {
    const password = `p${crypto.randomUUID()}`;
    const role = `hearth_app_${process.pid}`;
    const other = await ownDatabase();
    const owner = createPgDb({ engine: "postgres", primary: createPostgres(poolOf(other.url)) });
    await migrate(owner);
    await other.sql.unsafe(block("sql").replaceAll("hearth_app", role).replace("change-me", password)).simple();
    const url = new URL(other.url);
    url.username = role;
    url.password = password;
    const db = createPgDb({ engine: "postgres", primary: createPostgres(poolOf(url.href)) });
    await write(db, 3);
    expect(await sealAll(db)).toEqual({ sealed: 3, seals: 1 });
    expect((await verdict(await exported(db))).faults).toEqual([]);
    // A change by hand as this role is recorded, so the trigger has what it needs.
    await db.exclusively((run) =>
      run("insert into users (id, email, name, role) values ('user_x', 'x@x', 'X', 'user')"),
    );
    expect((await exported(db)).filter((line) => line.includes(`"actorId":"${role}"`))).toHaveLength(1);
    const tables = ["audit_entries", "audit_leaves", "audit_seals"];
    for (const table of tables) {
      for (const text of [
        `update ${table} set created_at = now()`,
        `delete from ${table}`,
        `truncate ${table}`,
        `alter table ${table} disable trigger user`,
        `drop trigger ${table}_append_only on ${table}`,
        `drop table ${table}`,
        "set session_replication_role = replica",
      ])
        await expect(db.exclusively((run) => run(text))).rejects.toThrow(/permission denied|must be owner/);
    }
    await expect(db.exclusively((run) => run("drop function hearth_append_only() cascade"))).rejects.toThrow(
      "must be owner",
    );
    await db.close();
    await owner.close();
    await other.sql.unsafe(`drop owned by ${role}; drop role ${role}`).simple();
    await other.drop();
  }, 30_000);
});
