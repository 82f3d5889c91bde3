import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { newId } from "../../src/core/id.ts";
import { openBunSqlite } from "../../src/ports/db/bun-sqlite.ts";
import { migrate } from "../../src/ports/db/migrate.ts";
import type { Db } from "../../src/ports/db/port.ts";
import { createSqliteDb } from "../../src/ports/db/sqlite.ts";
import { createFileClient } from "../../src/ports/db/sqlite-file.ts";
import { runScript } from "../helpers/command.ts";
import { temporaryFolder } from "../helpers/databases.ts";

const folder = temporaryFolder();
const file = join(folder.path, "test.db");
const [ann, rule, apiKey] = [newId("user"), newId("rule"), newId("key")];
let db: Db;

async function policy(...args: string[]) {
  const where = { cwd: folder.path, env: { DATABASE_URL: `sqlite:${file}` } };
  const { code, out, err } = await runScript("policy", args, where);
  return { code, lines: out.trimEnd().split("\n"), err };
}

beforeAll(async () => {
  db = createSqliteDb("sqlite", createFileClient(openBunSqlite(file)));
  await migrate(db);
  const { users, policyRules } = db.tables;
  await db.atomic((tx) => [
    tx.insert(users).values({ id: ann, email: "ann@example.com", name: "Ann", role: "user" }),
    tx.insert(policyRules).values({
      id: rule,
      scopeType: "user",
      scopeId: ann,
      subject: "User",
      actions: ["read"],
      fields: ["email"],
      conditions: { id: { $actor: "id" } },
      inverted: true,
      priority: 0,
    }),
    tx.insert(policyRules).values({
      id: newId("rule"),
      scopeType: "apiKey",
      scopeId: apiKey,
      subject: "User",
      actions: ["list"],
      inverted: false,
      priority: 0,
    }),
  ]);
});
afterAll(async () => {
  await db.close();
  folder.remove();
});

const explain = (...args: string[]) => policy("explain", "--subject", "User", ...args);

test("a decision about a row is told with the rules of all layers, and ends with 0 when it is allowed", async () => {
  const asked = ["--user", "Ann@example.com", "--row", ann];
  expect(await explain(...asked, "--action", "read", "--field", "email")).toEqual({
    code: 1,
    lines: [
      `read User, field email: refused by the user's rule ${rule}`,
      `  the user's rule ${rule} refuses it where id is "${ann}" (fits)`,
      `  the module users allows it where id is "${ann}" (fits)`,
      `  it would be allowed where: id is "${ann}", and not (id is "${ann}")`,
    ],
    err: "",
  });
  const { code, lines } = await explain(...asked, "--action", "update", "--field", "name", "--json");
  expect([code, JSON.parse(lines.join("\n"))]).toMatchObject([
    0,
    { allowed: true, decisions: [{ decidedBy: { layer: "module", name: "users" } }] },
  ]);
});

test("without a user it is somebody who is not logged in, and without a row the subject in general", async () => {
  expect(await explain("--action", "delete")).toMatchObject({
    code: 1,
    lines: ["delete User: refused: no rule is about it"],
  });
  expect(await explain("--action", "update", "--user", ann)).toMatchObject({
    code: 1,
    lines: expect.arrayContaining(["update User: depends on the row"]),
  });
});

test("a key is somebody's who shows it, or acts for itself with its role", async () => {
  const asked = (...whom: string[]) => explain("--action", "list", "--key", apiKey, ...whom);
  const ofKey = expect.stringMatching(/^list User: allowed by the key's rule rule_/);
  // What is listed is read too, which the module allows of oneself alone.
  expect(await asked("--user", ann)).toMatchObject({ code: 1, lines: expect.arrayContaining([ofKey]) });
  expect((await asked("--user", ann)).lines).toContain("read User: depends on the row");
  expect((await asked("--role", "user")).lines).toEqual(
    expect.arrayContaining([ofKey, "read User: refused: no rule is about it"]),
  );
});

test.each<[string[], string]>([
  [["explain", "--action", "read", "--subject", "User", "--key", apiKey], "role is missing"],
  [["explain", "--action", "read", "--subject", "User", "--role", "user"], "role is that of a key"],
  [["explain", "--action", "read", "--subject", "User", "--key", "key_1", "--role", "user"], "apiKeyId: "],
  [["explain"], "Say --action and --subject."],
  [["explain", "--action", "frob", "--subject", "User"], "action: "],
  [["explain", "--action", "read", "--subject", "Invoice"], "subject is not a subject"],
  [["explain", "--action", "read", "--subject", "User", "--user", "no@example.com"], "Nobody has the address"],
  [["explain", "--action", "read", "--subject", "User", "--row", "user_x"], "id names no row"],
  [["explain", "--what"], "--what"],
  [["frobnicate"], 'There is no command "frobnicate".'],
])("%p cannot be done, and says why", async (args, says) => {
  const { code, err } = await policy(...args);
  expect([code, err]).toEqual([2, expect.stringContaining(says)]);
});

test("the help names every command and option, and the subjects are told with what rules can name", async () => {
  const help = (await policy("--help")).lines.join("\n");
  for (const word of [
    "explain",
    "subjects",
    "--user",
    "--key",
    "--role",
    "--action",
    "--subject",
    "--row",
    "--field",
    "--json",
  ])
    expect(help).toContain(word);
  expect((await policy("subjects")).lines.slice(0, 4)).toEqual([
    "User",
    "  conditions   id, createdAt, updatedAt, version, email, name, role, remark",
    "  fields       email, name, role, remark, password",
    "  row by row   create, list, read, update, delete",
  ]);
});
