/**
 * The administrator of a D1 database, as SQL: a database in memory is seeded as any other is, and what it then holds is printed as
 * statements that do nothing where the address is taken. The password itself stays here.
 */
import { seed } from "../db/seed.ts";
import { embeddedSql } from "../db/sql.gen.ts";
import { systemClock } from "../src/core/clock.ts";
import type { Env } from "../src/env.ts";
import { openBunSqlite } from "../src/ports/db/bun-sqlite.ts";
import { migrate } from "../src/ports/db/migrate.ts";
import type { RunScript } from "../src/ports/db/port.ts";
import { createSqliteDb } from "../src/ports/db/sqlite.ts";
import { createFileClient } from "../src/ports/db/sqlite-file.ts";
import { createNativePasswords } from "../src/ports/passwords/native.ts";

export interface AdminSql {
  sql: string;
  /** Set when it was made up just now. */
  password: string | null;
}

/** Without a password one is made up. */
export async function adminSql({ email, password }: Env["admin"]): Promise<AdminSql> {
  if (!email) throw new Error("set ADMIN_EMAIL");
  const db = createSqliteDb("sqlite", createFileClient(openBunSqlite(":memory:")));
  await migrate(db, embeddedSql.sqlite);
  const made = await seed(db, {
    passwords: createNativePasswords(),
    clock: systemClock,
    mode: "development",
    admin: { email, password },
    samples: false,
  });
  // The entry first: a trigger looks for it when the account is made.
  const sql = await db.exclusively(async (run) => {
    const [[address] = []] = await run("select quote(email) from users", []);
    const unless = () => `not exists (select 1 from users where email = ${address})`;
    return [...(await inserts(run, "audit_entries", unless)), ...(await inserts(run, "users", unless))];
  });
  await db.close();
  return { sql: `${sql.join("\n")}\n`, password: made?.password ?? null };
}

type Literals = Record<string, string>;

/** A table's rows as statements, each under a condition that its literals are given to. */
async function inserts(run: RunScript, table: string, condition: (row: Literals) => string): Promise<string[]> {
  const columns = (await run(`select name from pragma_table_info('${table}')`, [])).map(([name]) => String(name));
  const quoted = columns.map((name) => `quote("${name}")`).join(", ");
  return (await run(`select ${quoted} from ${table}`, [])).map((values) => {
    const row = Object.fromEntries(columns.map((name, i) => [name, String(values[i])]));
    const list = columns.map((name) => `"${name}"`).join(", ");
    return `insert into ${table} (${list}) select ${Object.values(row).join(", ")} where ${condition(row)};`;
  });
}
