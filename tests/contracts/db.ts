/**
 * What every engine of the Db port does the same, as named cases that throw. They know no test runner, so that they also run where only
 * Node reaches: node:sqlite and D1 (db.peer.ts).
 */
import { constraintCases } from "./db.constraints.ts";
import type { DbCase } from "./db.fixture.ts";
import { listCases } from "./db.lists.ts";
import { valueCases } from "./db.values.ts";

export const dbCases: readonly DbCase[] = [...listCases, ...constraintCases, ...valueCases];
