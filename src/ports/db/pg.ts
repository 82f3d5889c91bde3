/** The Db port for both PostgreSQL engines. What differs between them is a `PgClient` of a few lines. */

import { PgDialect } from "drizzle-orm/pg-core";
import { drizzle } from "drizzle-orm/pg-proxy";
import { casing } from "../../../db/kit.ts";
import { tablesOf } from "../../../db/tables.ts";
import { constraintsOf } from "./constraint.ts";
import { pgFault } from "./fault.ts";
import { fold, foldable, key } from "./fold.ts";
import type { Builders, Db, Engine, Item, RunScript, Tx } from "./port.ts";
import { bind, decode, paramsOf, preparer, type Step, toStep } from "./statement.ts";

export interface PgQuery {
  text: string;
  params: unknown[];
}

/** What a PostgreSQL driver has to do. Rows are arrays of values: json parsed, timestamps as PostgreSQL prints them in UTC. */
export interface PgClient {
  query(query: PgQuery): Promise<unknown[][]>;
  /** All of the queries in one transaction, sent without waiting for each other. */
  flight(queries: PgQuery[]): Promise<unknown[][][]>;
  exclusively<T>(work: (run: RunScript) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

interface PgOptions {
  engine: Extract<Engine, "pglite" | "postgres">;
  primary: PgClient;
  replicas?: PgClient[];
}

/** Folded texts are kept by the statements they are made of. Prepared ones recur; a list with a builder of its own is not kept. */
const MAX_FOLDED = 500;

export function createPgDb({ engine, primary, replicas = [] }: PgOptions): Db {
  const tables = tablesOf("pg");
  const printer = new PgDialect({ casing });
  const fault = pgFault(constraintsOf(tables));
  const builders: Builders = drizzle(
    () => Promise.reject(new Error("a statement is run by db.all or db.atomic, not awaited")),
    { casing },
  );
  const prepare = preparer(builders, tables, printer);
  const tx: Tx = Object.assign(builders, { prepare });
  const folded = new Map<string, string>();
  let turn = 0;

  const query = (client: PgClient, q: PgQuery) => client.query(q).catch(fault);

  function textOf(steps: readonly Step[]): string {
    const id = key(steps);
    let text = folded.get(id);
    if (text === undefined) {
      text = fold(steps, printer);
      if (folded.size >= MAX_FOLDED) folded.clear();
      folded.set(id, text);
    }
    return text;
  }

  const toQuery = (steps: readonly Step[]): PgQuery => ({
    text: textOf(steps),
    params: steps.flatMap(({ bound }) => paramsOf(bound)),
  });

  async function run(steps: Step[]): Promise<unknown[][]> {
    if (foldable(steps)) return ((await query(primary, toQuery(steps)))[0] ?? []) as unknown[][];
    const answers = await primary.flight(steps.map(single)).catch(fault);
    return answers.map((rows, i) =>
      (steps[i] as Step).bound.compiled.target === null ? rows : (rows[0]?.[0] as unknown[]),
    );
  }

  const single = (step: Step): PgQuery =>
    step.bound.compiled.target === null
      ? { text: step.bound.compiled.text, params: paramsOf(step.bound) }
      : toQuery([step]);

  return {
    engine,
    dialect: "pg",
    tables,
    prepare,
    async all(statement, { fresh }) {
      const bound = bind(statement, printer);
      const client = fresh || replicas.length === 0 ? primary : (replicas[turn++ % replicas.length] as PgClient);
      const rows = await query(client, { text: bound.compiled.text, params: paramsOf(bound) });
      return decode(bound.compiled.fields, rows) as never;
    },
    async atomic(build) {
      const items: readonly Item[] = build(tx);
      const steps = items.map((item) => item && toStep(item, printer));
      const answers = await run(steps.filter((step) => step !== null));
      let at = 0;
      return steps.map((step) =>
        step ? decode(step.bound.compiled.fields, (answers[at++] ?? []) as unknown[][]) : [],
      ) as never;
    },
    async ping() {
      await query(primary, { text: "select 1", params: [] });
    },
    exclusively: (work) => primary.exclusively(work),
    async close() {
      await Promise.all([primary, ...replicas].map((client) => client.close()));
    },
  };
}
