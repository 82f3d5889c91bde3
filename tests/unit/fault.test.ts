import { expect, test } from "bun:test";
import { tablesOf } from "../../db/tables.ts";
import { AppError } from "../../src/core/error.ts";
import { constraintsOf } from "../../src/ports/db/constraint.ts";
import { pgFault, sqliteFault } from "../../src/ports/db/fault.ts";

const fault = pgFault(constraintsOf(tablesOf("pg")));
const d1Fault = sqliteFault(constraintsOf(tablesOf("sqlite")));
const told = (error: unknown, by = fault) => {
  try {
    return by(error);
  } catch (thrown) {
    return thrown;
  }
};
const withCode = (code: string) => Object.assign(new Error("the server's own words"), { code });

test.each(["08006", "53300", "57P01", "58000", "25006", "ECONNREFUSED", "CONNECTION_CLOSED", "CONNECT_TIMEOUT"])(
  "%s means that the database is away",
  (code) => {
    const error = told(withCode(code));
    expect(error).toBeInstanceOf(AppError);
    expect(error).toMatchObject({ code: "unavailable", message: "The database does not answer." });
  },
);

test.each(["42P01", "22003", "UNDEFINED_VALUE"])("%s is a fault of the code, and is thrown as it is", (code) => {
  const error = withCode(code);
  expect(told(error)).toBe(error);
});

test.each([
  "D1 DB reset because its code was updated.",
  "Internal error while starting up D1 DB storage caused object to be reset.",
  "Internal error in D1 DB storage caused object to be reset.",
  "D1 DB storage operation exceeded timeout which caused object to be reset.",
  "Network connection lost.",
  "Replica disconnected from primary.",
  "Cannot resolve D1 DB due to transient issue on remote node.",
  "D1 DB is overloaded. Too many requests queued.",
  "D1 DB is overloaded. Requests queued for too long.",
])("“%s” means that D1 is away", (words) => {
  for (const message of [words, `D1_ERROR: ${words}`])
    expect(told(new Error(message), d1Fault)).toMatchObject({ code: "unavailable" });
});

test.each(["no such table: jobs: SQLITE_ERROR", "D1 DB's isolate exceeded its memory limit and was reset."])(
  "“%s” would be said again, and is thrown as it is",
  (words) => {
    const error = new Error(`D1_ERROR: ${words}`);
    expect(told(error, d1Fault)).toBe(error);
  },
);
