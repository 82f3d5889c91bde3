/** The Db port for both PostgreSQL engines. What differs between them is a `PgClient` of a few lines. */
import { drizzle } from "drizzle-orm/pg-proxy";
import { casing } from "../../../db/kit.ts";
import { tablesOf } from "../../../db/tables.ts";
import { type Clock, systemClock } from "../../core/clock.ts";
import { AppError } from "../../core/error.ts";
import { createCommits } from "./committed.ts";
import { constraintsOf } from "./constraint.ts";
import { pgFault } from "./fault.ts";
import { type Folded, fold, foldable, key, unfold } from "./fold.ts";
import { pgPrinter } from "./pg-printer.ts";
import type { Builders, Db, Engine, Item, Notice, RunScript, Tx } from "./port.ts";
import { stale } from "./stale.ts";
import { decode, paramsOf, preparer, type Step, toRead, toStep } from "./statement.ts";

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
  clock?: Clock;
}

/** How many lists are remembered as one text, or as not foldable. */
const MAX_PLANS = 500;
/** A replica that failed is left alone for so long; its reads go to the others, or to the primary. */
const REST_MS = 10_000;

export function createPgDb({ engine, primary, replicas = [], clock = systemClock }: PgOptions): Db {
  const tables = tablesOf("pg");
  const printer = pgPrinter();
  const fault = pgFault(constraintsOf(tables));
  const builders: Builders = drizzle(
    () => Promise.reject(new Error("a statement is run by db.all or db.atomic, not awaited")),
    { casing },
  );
  const prepare = preparer(builders, tables, printer, "pg");
  const tx: Tx = Object.assign(builders, { prepare });
  const { committed, notices, noticeOf, tell } = createCommits();
  const plans = new Map<string, Folded | null>();
  const resting = new Map<PgClient, number>();
  let turn = 0;

  const query = (client: PgClient, q: PgQuery) => client.query(q).catch(fault);

  /** The text that a list is folded into, or null when it has to be sent statement by statement. */
  function planOf(steps: readonly Step[], noticed = false): Folded | null {
    const id = key(steps) + (noticed ? "!" : "");
    let plan = plans.get(id);
    if (plan === undefined) {
      plan = foldable(steps) ? fold(steps, printer, noticed) : null;
      if (plans.size >= MAX_PLANS) plans.clear();
      plans.set(id, plan);
    }
    return plan;
  }

  async function run(steps: readonly Step[], notice: Notice | null): Promise<unknown[][][]> {
    const [first] = steps;
    if (!first) return [];
    const told = notice ? [notice.channel, notice.payload] : [];
    if (!notice && steps.length === 1 && answersForItself(first)) {
      const rows = await query(primary, plainQuery(first));
      if (first.must && rows.length === 0) throw stale();
      return [rows];
    }
    const plan = planOf(steps, notice !== null);
    if (plan) {
      const params = [...steps.flatMap(({ bound }) => paramsOf(bound)), ...told];
      return unfold(plan, await query(primary, { text: plan.text, params }), steps.length);
    }
    // Guarded steps are folded singly: `must` is then checked where it undoes the steps before it.
    const guards = steps.map((step) => (step.must ? planOf([step]) : null));
    const queries = steps.map((step, i) => ({ ...plainQuery(step), ...(guards[i] && { text: guards[i].text }) }));
    if (notice) queries.push({ text: "select pg_notify($1, $2)", params: told });
    const answers = await primary.flight(queries).catch(fault);
    return answers.slice(0, steps.length).map((rows, i) => (guards[i] ? (unfold(guards[i], rows, 1)[0] ?? []) : rows));
  }

  async function read(q: PgQuery): Promise<unknown[][]> {
    const now = clock.now();
    const ready = replicas.filter((client) => (resting.get(client) ?? 0) <= now);
    const replica = ready[turn++ % ready.length];
    if (!replica) return query(primary, q);
    try {
      return await query(replica, q);
    } catch (error) {
      // `conflict` is how a replica says that replaying the primary's changes has ended the read.
      if (!(error instanceof AppError)) throw error;
      if (error.code === "unavailable") resting.set(replica, clock.now() + REST_MS);
      return query(primary, q);
    }
  }

  return {
    engine,
    dialect: "pg",
    tables,
    prepare,
    async all(statement, { fresh }) {
      const bound = toRead(statement, printer);
      const q = { text: bound.compiled.text, params: paramsOf(bound) };
      const rows = await (fresh || replicas.length === 0 ? query(primary, q) : read(q));
      return decode(bound.compiled.fields, rows) as never;
    },
    async atomic(build) {
      const items: readonly Item[] = build(tx);
      const steps = items.map((item) => item && toStep(item, printer));
      const notice = engine === "postgres" ? noticeOf(steps) : null;
      const answers = await run(
        steps.filter((step) => step !== null),
        notice,
      );
      tell(steps, notice !== null);
      let at = 0;
      return steps.map((step) => (step ? decode(step.bound.compiled.fields, answers[at++] ?? []) : [])) as never;
    },
    committed,
    notices,
    async ping() {
      await query(primary, { text: "select 1", params: [] });
    },
    exclusively: (work) => primary.exclusively(work).catch(fault),
    async close() {
      await Promise.all([primary, ...replicas].map((client) => client.close()));
    },
  };
}

const plainQuery = ({ bound }: Step): PgQuery => ({ text: bound.compiled.text, params: paramsOf(bound) });

/** Whether a list of this step alone needs no guard of the database: what touched no row is seen in the answer, and undid nothing. */
const answersForItself = ({ bound, must }: Step) => !must || bound.compiled.fields.length > 0;
