/** The Db port for both SQLite engines. What differs between them is a `SqliteClient` of a few lines. */
import { SQLiteSyncDialect } from "drizzle-orm/sqlite-core";
import { drizzle } from "drizzle-orm/sqlite-proxy";
import { casing } from "../../../db/kit.ts";
import { tablesOf } from "../../../db/tables.ts";
import { createCommits } from "./committed.ts";
import { constraintsOf } from "./constraint.ts";
import { sqliteFault } from "./fault.ts";
import type { Builders, Db, Engine, Item, RunScript, Tx } from "./port.ts";
import { decode, paramsOf, preparer, toRead, toStep } from "./statement.ts";

export interface SqliteStep {
  text: string;
  params: unknown[];
  /** How many columns its rows have; 0: it answers none. */
  columns: number;
  /** Whether the batch is undone when it touches none. */
  must: boolean;
}

/** What an SQLite driver has to do. Rows are arrays of values in the order of the columns. */
export interface SqliteClient {
  all(text: string, params: unknown[]): Promise<unknown[][]>;
  /** All of the steps in one transaction. A failed `must` throws `stale()`, or breaks the check `hearth_must`. */
  batch(steps: SqliteStep[]): Promise<unknown[][][]>;
  exclusively<T>(work: (run: RunScript) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function createSqliteDb(engine: Extract<Engine, "sqlite" | "d1">, client: SqliteClient): Db {
  const tables = tablesOf("sqlite");
  const printer = new SQLiteSyncDialect({ casing });
  const fault = sqliteFault(constraintsOf(tables));
  // The second cast between the dialects: the builders print SQLite's SQL and are used through PostgreSQL's types, as the tables are.
  // `casing` goes in the third place: with two arguments sqlite-proxy does not read it (drizzle-orm 0.45).
  const refuse = () => Promise.reject(new Error("a statement is run by db.all or db.atomic, not awaited"));
  const builders = drizzle(refuse, refuse, { casing }) as unknown as Builders;
  const prepare = preparer(builders, tables, printer, "sqlite");
  const tx: Tx = Object.assign(builders, { prepare });
  const { committed, notices, tell } = createCommits();

  return {
    engine,
    dialect: "sqlite",
    tables,
    prepare,
    async all(statement) {
      const bound = toRead(statement, printer);
      const rows = await client.all(bound.compiled.text, paramsOf(bound)).catch(fault);
      return decode(bound.compiled.fields, rows) as never;
    },
    async atomic(build) {
      const items: readonly Item[] = build(tx);
      const steps = items.map((item) => item && toStep(item, printer));
      const work = steps.filter((step) => step !== null);
      const answers = await client
        .batch(
          work.map(({ bound, must }) => ({
            text: bound.compiled.text,
            params: paramsOf(bound),
            columns: bound.compiled.fields.length,
            must,
          })),
        )
        .catch(fault);
      tell(steps);
      let at = 0;
      return steps.map((step) => (step ? decode(step.bound.compiled.fields, answers[at++] ?? []) : [])) as never;
    },
    committed,
    notices,
    async ping() {
      await client.all("select 1", []).catch(fault);
    },
    exclusively: (work) => client.exclusively(work).catch(fault),
    close: () => client.close(),
  };
}
