import { expect, test } from "bun:test";
import { tablesOf } from "../../db/tables.ts";
import { AppError } from "../../src/core/error.ts";
import { constraintsOf } from "../../src/ports/db/constraint.ts";
import { pgFault } from "../../src/ports/db/fault.ts";

const fault = pgFault(constraintsOf(tablesOf("pg")));
const told = (error: unknown) => {
  try {
    return fault(error);
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
