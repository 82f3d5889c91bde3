/** From a driver's error to an AppError. The driver's own text may hold values and SQL: it stays in `cause`, which is only logged. */
import { AppError, unavailable } from "../../core/error.ts";
import { type Constraint, ConstraintError, type Constraints } from "./constraint.ts";
import { MUST_FAILED } from "./fold.ts";
import { stale } from "./stale.ts";

interface DriverError {
  code?: string | number;
  errno?: string | number;
  constraint_name?: string;
  constraint?: string;
  table_name?: string;
  table?: string;
  column_name?: string;
  column?: string;
  message?: string;
}

const broken = (constraint: Constraint) =>
  new AppError("conflict", {
    detail: describe(constraint),
    errors: constraint.columns.map((column) => ({ in: "body", pointer: `/${column}`, detail: describe(constraint) })),
    cause: new ConstraintError(constraint),
  });

function describe({ kind, columns }: Constraint): string {
  if (kind === "unique") return `Another resource already has this ${columns.join(" and ")}.`;
  if (kind === "reference") return "The resource refers to one that does not exist, or is still referred to.";
  return "The change would break a rule of the data.";
}

/**
 * SQLSTATE classes and client codes that mean: not now. 08 connection, 53 resources, 57 operator intervention, 58 the system around
 * PostgreSQL (Hyperdrive tells its own faults so), 25006 read-only.
 */
const AWAY = /^(08|53|57|58|25006)/;
const CLIENT_AWAY =
  /^(ECONN|EPIPE|ENOTFOUND|EAI_|ETIMEDOUT|EHOST|ENET|CONNECT|ERR_POSTGRES_(CONNECTION|IDLE|LIFETIME))/;

const KINDS: Record<string, Constraint["kind"]> = { 23505: "unique", 23503: "reference", 23514: "check" };
/** PGlite after `close`. */
const CLOSED = /^PGlite is clos/;

/** Bun.SQL has the server's own code, the SQLSTATE, in `errno`. */
export const sqlState = ({ code, errno }: DriverError): string =>
  String((code === "ERR_POSTGRES_SERVER_ERROR" ? errno : code) ?? "");

export const pgFault =
  (constraints: Constraints) =>
  (error: unknown): never => {
    if (error instanceof AppError) throw error;
    const e = error as DriverError;
    const code = sqlState(e);
    const name = e.constraint_name ?? e.constraint ?? "";
    if (code === MUST_FAILED) throw stale();
    const kind = KINDS[code];
    if (kind) throw broken(constraints.byName(name) ?? { kind, name, columns: [] });
    if (code === "23502")
      throw broken(constraints.required(e.table_name ?? e.table ?? "", e.column_name ?? e.column ?? ""));
    // Serialization failure and deadlock: nothing was changed, and the caller may decide again.
    if (code === "40001" || code === "40P01") throw stale();
    if (AWAY.test(code) || CLIENT_AWAY.test(code) || CLOSED.test(e.message ?? ""))
      throw unavailable("The database does not answer.", error);
    throw error;
  };

/**
 * What D1's list of errors says to try again, and what it says of a database that has too much to do. Not what one statement has caused, which
 * would cause it again: that it took too much memory or computing.
 */
const D1_AWAY =
  /D1_ERROR: (Network|.*timed? ?out)|Network connection lost|D1 DB (is overloaded|reset)|caused object to be reset|Replica disconnected|transient issue on remote node/i;

/** SQLite and D1 tell constraints by message alone. */
export const sqliteFault =
  (constraints: Constraints) =>
  (error: unknown): never => {
    if (error instanceof AppError) throw error;
    const message = String((error as DriverError).message ?? error);
    const unique = /UNIQUE constraint failed: (?:index '(\w+)'|([\w., ]+\w))/.exec(message);
    if (unique) {
      const [, name = "", columns = ""] = unique;
      throw broken(
        constraints.byColumns(columns) ??
          constraints.byName(name) ?? { kind: "unique", name: name || columns, columns: [] },
      );
    }
    if (/FOREIGN KEY constraint failed/.test(message)) throw broken({ kind: "reference", name: "", columns: [] });
    const check = /CHECK constraint failed: (\w+)/.exec(message)?.[1];
    if (check === MUST_GUARD) throw stale();
    if (check) throw broken(constraints.byName(check) ?? { kind: "check", name: check, columns: [] });
    const required = /NOT NULL constraint failed: (\w+)\.(\w+)/.exec(message);
    if (required) throw broken(constraints.required(required[1] as string, required[2] as string));
    if (/database is locked|SQLITE_BUSY/i.test(message) || D1_AWAY.test(message))
      throw unavailable("The database is busy.", error);
    if (/database has closed|database is not open|closed database/i.test(message))
      throw unavailable("The server is stopping.", error);
    throw error;
  };

/** The check that a failed `must` runs into on D1 (sql/sqlite/010_hearth_must.sql). */
const MUST_GUARD = "hearth_must";
