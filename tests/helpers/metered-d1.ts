/** D1 as the platform meters it, which the local one does not: an invocation sends 1,000 statements, and no more. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { D1Database, D1Statement } from "../../src/ports/db/d1.ts";

const MOST = 1_000;
const invocations = new AsyncLocalStorage<{ sent: number }>();

export const metered = <T>(work: () => T): T => invocations.run({ sent: 0 }, work);

function meter(statements: number): void {
  const invocation = invocations.getStore();
  if (!invocation) return;
  invocation.sent += statements;
  if (invocation.sent > MOST) throw new Error("D1_ERROR: Too many API requests by single Worker invocation.");
}

export function meteredD1(d1: D1Database): D1Database {
  const inner = new WeakMap<D1Statement, D1Statement>();
  const wrapped = (statement: D1Statement): D1Statement => {
    const outer: D1Statement = {
      bind: (...values) => wrapped(statement.bind(...values)),
      async raw() {
        meter(1);
        return statement.raw();
      },
    };
    inner.set(outer, statement);
    return outer;
  };
  return {
    prepare: (text) => wrapped(d1.prepare(text)),
    async batch(statements) {
      meter(statements.length);
      return d1.batch(statements.map((statement) => inner.get(statement) as D1Statement));
    },
  };
}
