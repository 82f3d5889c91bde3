/**
 * `db:generate [name]`: writes the migrations that lead from the last ones to db/tables.ts, for both dialects, and embeds all SQL. Without a
 * difference it writes nothing. A migration that was released is never edited: the ledger refuses it.
 */
import { spawnSync } from "node:child_process";
import { execPath, exit } from "node:process";
import { fileURLToPath } from "node:url";
import { plainArgs } from "./args.ts";

const HELP = `Writes the migrations that lead to db/tables.ts, for both dialects, and embeds all SQL.

Usage: bun run db:generate [name]

  name    Of the migrations; without it drizzle-kit makes one up
  --help  This`;

const {
  positionals: [name],
} = plainArgs("db:generate", HELP, {}, 1);
const kit = fileURLToPath(new URL("../node_modules/drizzle-kit/bin.cjs", import.meta.url));

for (const dialect of ["pg", "sqlite"]) {
  const args = [kit, "generate", `--config=drizzle.${dialect}.config.ts`, ...(name ? ["--name", name] : [])];
  const { status } = spawnSync(execPath, args, { stdio: "inherit" });
  if (status !== 0) exit(status ?? 1);
}
const { writeEmbedded } = await import("./embed-sql.ts");
writeEmbedded();
