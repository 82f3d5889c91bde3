/**
 * Prints statements for PostgreSQL. JSON is sent as text and read by the server (`$1::text::jsonb`), because clients differ in what they
 * do with a value whose type the server calls jsonb: postgres.js can be told to leave it alone, Bun.SQL encodes it a second time.
 */
import { Column } from "drizzle-orm/column";
import { is } from "drizzle-orm/entity";
import { PgDialect } from "drizzle-orm/pg-core/dialect";
import { Param, type SQL } from "drizzle-orm/sql";
import { casing } from "../../../db/kit.ts";
import type { Printer } from "./statement.ts";

const isJson = (encoder: unknown): boolean => is(encoder, Column) && encoder.getSQLType() === "jsonb";

export function pgPrinter(): Printer {
  const dialect = new PgDialect({ casing });
  dialect.prepareTyping = (encoder) => (isJson(encoder) ? "json" : "none");
  return {
    sqlToQuery(statement: SQL) {
      const query = dialect.sqlToQuery(statement);
      const json = query.params.map((param, i) =>
        is(param, Param) ? isJson(param.encoder) : query.typings?.[i] === "json",
      );
      if (!json.includes(true)) return query;
      const text = query.sql.replace(/\$(\d+)/g, (place, n) => (json[n - 1] ? `${place}::text::jsonb` : place));
      return { ...query, sql: text };
    },
  };
}
