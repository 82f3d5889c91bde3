/**
 * The SQLite migrations as wrangler applies them to D1: files in the order of the number that they begin with, each once by its name. Each
 * also keeps our own ledger, so that the schema's version is told alike on every engine.
 *
 * The objects are one last file whose name holds a hash of all that is applied, so that it is a new one whenever anything changes; objects
 * that go back to an earlier text need a difference, such as a comment. Drift is not checked on D1.
 */
import { embeddedSql, type SqlFile } from "../../../db/sql.gen.ts";
import { hash, LEDGER, type SqlFiles } from "./migrate.ts";

export function d1Migrations({ migrations, objects }: SqlFiles = embeddedSql.sqlite): SqlFile[] {
  const all = hash([...migrations, ...objects].map(({ sql }) => sql).join("\n"));
  return [
    ...migrations.map((file) => ({
      name: file.name,
      sql: `${file.sql.replaceAll("--> statement-breakpoint", "")}\n${LEDGER};\n${noted("migration", file)}`,
    })),
    {
      name: `9999_objects_${all.slice(0, 12)}`,
      sql: objects.map((file) => `${file.sql}\n${noted("object", file)}`).join("\n"),
    },
  ];
}

const noted = (kind: "migration" | "object", { name, sql }: SqlFile) =>
  `insert or replace into hearth_ledger values ('${kind}/${name}', '${hash(sql)}', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));\n`;
